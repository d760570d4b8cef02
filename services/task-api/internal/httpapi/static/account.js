// Uses the link of a mail. The token stands behind the # of the address, so no server and no log gets it before the button is
// pressed: programs that open the links of mails use nothing up.
"use strict";

const [kind, token] = location.hash.slice(1).split("=");
history.replaceState(null, "", location.pathname); // the token does not stay in the history
const by = (id) => document.getElementById(id);

const uses = {
  verify: { text: "Confirm that this e-mail address is yours.", button: "Confirm", path: "/api/v1/auth/verify-email", done: "The e-mail address is confirmed." },
  recover: { text: "Choose a new password. It ends all log-ins of the account.", button: "Set the password", path: "/api/v1/auth/reset-password", done: "The password is set. Log in with it." },
};
const use = Object.hasOwn(uses, kind) && token ? uses[kind] : null;

async function send() {
  by("send").disabled = true;
  const body = kind === "recover" ? { token, new_password: by("password").value } : { token };
  try {
    const answer = await fetch(use.path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (answer.ok) {
      by("new").hidden = by("send").hidden = true;
      by("answer").textContent = use.done;
      return;
    }
    const problem = await answer.json();
    const fields = (problem.errors || []).map((e) => "The " + (e.field === "new_password" ? "password" : e.field) + " " + e.message + ".");
    by("answer").textContent = fields.join(" ") || problem.detail || problem.title;
  } catch {
    by("answer").textContent = "The server cannot be reached. Try again.";
  }
  by("send").disabled = false;
}

if (use) {
  by("text").textContent = use.text;
  by("send").textContent = use.button;
  by("send").hidden = false;
  by("new").hidden = kind !== "recover";
  by("send").addEventListener("click", send);
}

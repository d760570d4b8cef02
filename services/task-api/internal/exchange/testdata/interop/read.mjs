// Prints the first occurrences of each VTODO of an iCalendar file as ical.js reads them: one JSON object a line.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const wanted = 12;
const calendar = new ICAL.Component(ICAL.parse(readFileSync(process.argv[2], "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) {
  ICAL.TimezoneService.register(new ICAL.Timezone(zone));
}
const text = (time) =>
  time.isDate ? time.toString() : new Date(time.toUnixTime() * 1000).toISOString().replace(".000Z", "Z");
for (const todo of calendar.getAllSubcomponents("vtodo")) {
  const expansion = new ICAL.RecurExpansion({ component: todo, dtstart: todo.getFirstPropertyValue("dtstart") });
  const occurrences = [];
  for (let next; occurrences.length < wanted && (next = expansion.next()); ) occurrences.push(text(next));
  const due = todo.getFirstPropertyValue("due");
  console.log(JSON.stringify({ uid: todo.getFirstPropertyValue("uid"), summary: todo.getFirstPropertyValue("summary"),
    status: todo.getFirstPropertyValue("status"), due: due && text(due), occurrences }));
}

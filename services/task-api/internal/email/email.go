// Package email decides which texts are the address of an account, and which spellings are the same address.
//
// Promises:
//
//   - Two spellings that reach the same account have one canonical form: it is in lower case and in NFC, and its domain is in
//     Unicode, not in the form of the DNS.
//   - An address that looks like another one is refused: invisible characters, letters of several scripts in one word, and
//     words that consist only of letters that look like Latin ones.
//   - A name in one script is accepted, in every script that identifiers may use (UTS 39, "highly restrictive").
//
// Look-alikes within ASCII, such as l and 1, cannot be told from honest addresses.
package email

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	// Max is the largest length in octets (RFC 5321, 4.5.3.1.3, less the brackets).
	Max = 254
	// maxLocal is the largest length of the part before the @ in octets (RFC 5321, 4.5.3.1.1).
	maxLocal = 64
)

// The reasons of a refusal, in words that complete "the e-mail …".
const (
	notAnAddress = "must be an e-mail address"
	invisible    = "must not have invisible characters"
	lookalike    = "must not have characters that look like others, or letters of several scripts in one word"
	badDomain    = "must have a valid domain after the @"
)

// domains maps a domain like a browser does (UTS 46), and checks it like a registry does.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.ValidateLabels(true), idna.VerifyDNSLength(true),
	idna.StrictDomainName(true), idna.CheckHyphens(true), idna.Transitional(false))

// Canonical returns the canonical form of an address. If the text is no address of an account, problem says why.
func Canonical(s string) (address, problem string) {
	if !utf8.ValidString(s) || len(s) > 2*Max {
		return "", notAnAddress
	}
	if strings.ContainsFunc(s, asciiInLower) {
		return "", lookalike
	}
	s = Key(s)
	if strings.ContainsFunc(s, hidden) {
		return "", invisible
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > maxLocal || strings.ContainsAny(s, " \"(),:;<>[\\]") || strings.Contains(domain, "@") {
		return "", notAnAddress
	}
	if a, err := mail.ParseAddress(local + "@example.com"); err != nil || a.Address != local+"@example.com" || a.Name != "" {
		return "", notAnAddress
	}
	host, problem := canonicalDomain(domain)
	if problem != "" {
		return "", problem
	}
	if !alone(local, host) {
		return "", lookalike
	}
	if address = local + "@" + host; len(address) > Max || len(ASCII(address)) > Max {
		return "", notAnAddress
	}
	return address, ""
}

// Key returns the form in which attempts are counted and an address from before these rules is found: NFC, in lower case,
// without blanks around it. It accepts every text.
func Key(s string) string {
	return strings.ReplaceAll(norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(s)))), "ς", "σ")
}

// ASCII returns the canonical address with the domain in the form of the DNS, as a mail server needs it.
func ASCII(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return address
	}
	if host, err := domains.ToASCII(domain); err == nil {
		domain = host
	}
	return local + "@" + domain
}

// canonicalDomain returns the domain in Unicode.
func canonicalDomain(domain string) (host, problem string) {
	wire, err := domains.ToASCII(domain)
	if err != nil || wire == "" || strings.HasSuffix(wire, ".") {
		return "", badDomain
	}
	host, err = domains.ToUnicode(wire)
	if err != nil {
		return "", badDomain
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !oneScript(label) {
			return "", lookalike
		}
	}
	if _, last := scripts(labels[len(labels)-1]); last == "" { // a top-level domain of Latin letters
		for _, label := range labels {
			if _, other := scripts(label); other != "" && looksLatin(label) {
				return "", lookalike
			}
		}
	}
	return host, ""
}

// alone reports whether the local part is in one script and cannot be read as Latin letters. A word of look-alike letters is
// accepted where the whole domain has its script: there a reader expects it.
func alone(local, host string) bool {
	if !oneScript(local) {
		return false
	}
	_, script := scripts(local)
	if script == "" || !looksLatin(local) {
		return true
	}
	_, last := scripts(host[strings.LastIndexByte(host, '.')+1:])
	return last == script
}

// asciiInLower reports whether r is another letter whose lower case is in ASCII: the Kelvin sign, and the I with a dot.
func asciiInLower(r rune) bool { return r > unicode.MaxASCII && unicode.ToLower(r) <= unicode.MaxASCII }

// hidden reports whether a reader cannot see r, or r changes the order of what a reader sees: spaces, controls, zero-width
// characters, bidirectional controls, variation selectors and tags.
func hidden(r rune) bool {
	return r > unicode.MaxASCII && (unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)) ||
		unicode.IsControl(r)
}

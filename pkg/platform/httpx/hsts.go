package httpx

// strictTransport tells browsers to use HTTPS only, for a year (RFC 6797). It leaves the subdomains to the owner of the
// domain. Browsers must ignore it on plain HTTP (RFC 6797, section 7.2), so it is not sent there.
const strictTransport = "max-age=31536000"

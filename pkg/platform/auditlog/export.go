package auditlog

// This file has the format of an export: JSON Lines, one Line each. An export begins with a "log" line and ends with an
// "end" line; one without an "end" line was cut on its way. Between them are the entries by position, and after the entry
// that completes a kept checkpoint that checkpoint.

// ExportFormat names the format and its version.
const ExportFormat = "taskwire-audit-export/v1"

// MaxLine bounds a line of an export. An event has at most 1 MiB, in base64 in the leaf, and there is room for the rest.
const MaxLine = 2 << 20

// Line is one line: exactly one member is set.
type Line struct {
	Log        *ExportLog `json:"log,omitempty"`
	Entry      *Entry     `json:"entry,omitempty"`
	Checkpoint string     `json:"checkpoint,omitempty"` // a signed checkpoint that was kept
	End        *ExportEnd `json:"end,omitempty"`
}

// ExportLog says what the export holds.
type ExportLog struct {
	Format     string `json:"format"`
	Whole      bool   `json:"whole"`        // all entries from From on; otherwise those of one user, each with its proof
	From       int64  `json:"from"`         // the position at which the export begins
	Checkpoint string `json:"checkpoint"`   // the newest signed checkpoint; the export goes up to its size
	Key        string `json:"verifier_key"` // for a reader without a key of its own; it proves nothing
}

// ExportEnd says where the export ended.
type ExportEnd struct {
	Next     int64 `json:"next"`     // the position at which the next export begins
	Complete bool  `json:"complete"` // false: the time of one answer was over; the next one continues at Next
}

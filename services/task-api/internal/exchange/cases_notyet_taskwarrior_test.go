package exchange_test

// notYetTaskwarrior has the cases of this format that are not right yet.
var notYetTaskwarrior = []string{
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000001",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000002",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000004",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000005",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000008",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000009",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000010",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000011",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000012",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000013",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000016",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000022",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000024",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000025 (second)",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000026",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000028",
	"taskwarrior.json: 7e57ab1e-0000-4000-8000-000000000029",
}

module github.com/taskwire/taskwire/tools/repo

go 1.26.4

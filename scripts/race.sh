# Sourced by the scripts that run tests. Sets race to -race, or to nothing where no C compiler can be had: the race detector
# needs one. As root on a Debian system the compiler is installed by name.
race=-race
if ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing gcc, which the race detector needs …"
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev >/dev/null
  else
    race=; echo "no C compiler: running without the race detector"
  fi
fi
# By default a program with the race detector sleeps for a second when it ends, and tests start many programs.
[ -z "$race" ] || export CGO_ENABLED=1 GORACE="${GORACE:-atexit_sleep_ms=50}"

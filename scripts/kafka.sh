#!/usr/bin/env bash
# kafka.sh test|fetch|pin [REGEXP]: the whole-stack tests on Apache Kafka (docs/kafka.md).
#   test [REGEXP]  runs the matching tests of ./e2e on the brokers in KAFKA_BROKERS; by default each stack starts a Kafka
#   fetch          downloads the jars of tools/kafka/pom.xml from Maven Central, once, and prints their folder
#   pin            rewrites tools/kafka/jars.sha256 after a change of the pom
# Exit code 77 means not run, because Java, Maven or Maven Central is missing. The last line says which.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly not_run=77
pom=tools/kafka/pom.xml pins=tools/kafka/jars.sha256

not_run() { echo "test-kafka: NOT RUN: $*" >&2; exit $not_run; }

# need COMMAND PACKAGE: installs the package of a missing command as root on a Debian system; otherwise it says how to.
need() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $2, which Apache Kafka needs …" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null 2>&1 || true
    command -v "$1" >/dev/null && return
  fi
  not_run "$1 is missing. Debian and Ubuntu: apt-get install $2"
}

# maven FOLDER: copies the jars of the pom to FOLDER. -C refuses a jar that does not match the registry's checksum.
maven() {
  local log
  log=$(mktemp)
  if mvn -B -C -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1" >"$log" 2>&1; then
    rm -f "$log"; return
  fi
  if grep -qE 'Could not transfer|Unknown host|Connection refused|timed out|Network is unreachable|Temporary failure|offline mode|status code: (403|407|5[0-9][0-9])' "$log"; then
    grep -m 3 -E '\[ERROR\]' "$log" | cut -c1-300 >&2 || true
    rm -f "$log"
    not_run "Maven Central cannot be reached (a mirror or proxy goes into ~/.m2/settings.xml)"
  fi
  cat "$log" >&2; rm -f "$log"; exit 1
}

fetch() {
  local version jars
  version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$pom")
  jars=$PWD/.taskwire/kafka/$version-$(sha256sum "$pins" | cut -c1-8)
  if [ ! -d "$jars" ]; then
    need mvn maven
    echo "fetching Apache Kafka $version from Maven Central (43 MB, once) …" >&2
    rm -rf "$jars.part"; mkdir -p "$jars.part"
    maven "$jars.part"
    (cd "$jars.part" && sha256sum --quiet --strict -c "$OLDPWD/$pins" >&2 && [ "$(ls | wc -l)" = "$(wc -l <"$OLDPWD/$pins")" ]) ||
      { echo "test-kafka: the jars do not match $pins" >&2; exit 1; }
    mv "$jars.part" "$jars"
  fi
  echo "$jars"
}

pin() {
  local dir; dir=$(mktemp -d)
  need mvn maven
  maven "$dir"
  (cd "$dir" && LC_ALL=C sha256sum ./*.jar) >"$pins"
  rm -rf "$dir"
}

run_tests() {
  if [ -n "${KAFKA_BROKERS:-}" ]; then
    echo "test-kafka: runs on the brokers at $KAFKA_BROKERS" >&2
    export TEST_KAFKA_BROKERS=$KAFKA_BROKERS
  else
    need java default-jre-headless
    TEST_KAFKA_JARS=$(fetch)
    export TEST_KAFKA_JARS
    echo "test-kafka: runs on Apache Kafka from $TEST_KAFKA_JARS" >&2
  fi
  export TEST_TIMEOUT=${TEST_TIMEOUT:-60m} # ten minutes on an idle machine, and much longer on a busy one, because each stack starts a Java broker
  # A repetition runs again: Go's cache does not know the brokers.
  GOFLAGS="${GOFLAGS:-} -count=1" ./scripts/test.sh some ./e2e/... "${1:-}"
}

case ${1:-test} in
  test) shift || true; run_tests "$@" ;;
  fetch) fetch ;;
  pin) pin ;;
  *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac

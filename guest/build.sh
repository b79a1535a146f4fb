#!/bin/sh
# Builds the guest's static programs into out/ (or the folder named): the agent, the init, and the
# boot tests' client. Needs gcc; takes musl-gcc where it is there (Debian: musl-tools), which makes
# them a tenth of the size. Two runs of the same compiler give the same bytes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/out}
if [ -z "${CC:-}" ]; then
	if command -v musl-gcc >/dev/null 2>&1; then CC=musl-gcc; else CC=gcc; fi
fi
version=$(sed -n 's/^  "version": "\([0-9A-Za-z.+-]*\)".*/\1/p' "$here/../package.json" 2>/dev/null || true)

warnings="-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wformat=2 -Wvla"
hardening="-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now,-z,noexecstack"
small="-O2 -ffunction-sections -fdata-sections -Wl,--gc-sections -s"
# No path, time or build id of this machine gets into the files.
same="-ffile-prefix-map=$here=guest -Wl,--build-id=none"

mkdir -p "$out"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Address-randomised where the compiler links that statically; old musl-gcc specs do not.
# The check runs the program: a wrong start file links and then crashes.
static=-static
printf 'int main(void) { return 0; }\n' >"$scratch/probe.c"
if $CC -static-pie -fPIE -o "$scratch/probe" "$scratch/probe.c" 2>/dev/null && "$scratch/probe" 2>/dev/null &&
	od -An -tx1 -j16 -N1 "$scratch/probe" | grep -q 03; then
	static="-static-pie -fPIE"
fi

build() {
	program=$1
	shift
	# shellcheck disable=SC2086 # the flags are words
	(cd "$here" && $CC $warnings $hardening $small $same $static -DBANGER_VERSION="\"${version:-0}\"" \
		-o "$scratch/$program" "$@")
	# Renamed into place: a build cut off leaves the old program, never half of a new one.
	cp "$scratch/$program" "$out/.$program.new"
	chmod 0755 "$out/.$program.new"
	mv -f "$out/.$program.new" "$out/$program"
	printf '%s %s\n' "$(wc -c <"$out/$program")" "$program"
}

build banger-vsock-agent agent.c serve.c answers.c http.c info.c ports.c confine.c inet.c kernel-parameter.c text.c
build vsock-get vsock-get.c text.c

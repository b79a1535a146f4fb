#!/bin/sh
# Builds the guest's static programs into out/ (or the folder named): the agent, the init, and the
# boot tests' client. Needs gcc; takes musl-gcc where it is there (Debian: musl-tools), which makes
# them a tenth of the size. Two runs of the same compiler give the same bytes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/out}
if [ -z "${CC:-}" ]; then
	CC=gcc
	if command -v musl-gcc >/dev/null 2>&1; then CC="musl-gcc"; fi
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

# A program that asks for a dynamic loader cannot start in an image without one, and a linker makes
# such a thing without a word: musl-gcc of Debian 12 does, given -static-pie.
is_static() {
	! readelf -lW "$1" | grep -q INTERP && ! readelf -dW "$1" | grep -q NEEDED
}

printf 'int main(void) { return 0; }\n' >"$scratch/probe.c"
works() {
	# shellcheck disable=SC2086 # the flags are words
	$CC $1 -o "$scratch/probe" "$scratch/probe.c" 2>/dev/null && is_static "$scratch/probe" &&
		readelf -hW "$scratch/probe" | grep -q 'Type: *DYN' && "$scratch/probe"
}

# Address-randomised where the compiler can do that statically: by itself, or with musl's start file
# for it spelt out; else at a fixed address.
musl=/usr/lib/$(gcc -dumpmachine | sed 's/-gnu/-musl/')
spelt="-static -fPIE -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text $musl/rcrt1.o $musl/crti.o $musl/crtn.o"
if works "-static-pie -fPIE"; then
	static="-static-pie -fPIE"
elif works "$spelt"; then
	static=$spelt
else
	static=-static
fi

build() {
	program=$1
	shift
	# shellcheck disable=SC2086 # the flags are words
	(cd "$here" && $CC $warnings $hardening $small $same $static -DBANGER_VERSION="\"${version:-0}\"" \
		-o "$scratch/$program" "$@")
	is_static "$scratch/$program" || { echo "$program is not static" >&2 && exit 1; }
	# Renamed into place: a build cut off leaves the old program, never half of a new one.
	cp "$scratch/$program" "$out/.$program.new"
	chmod 0755 "$out/.$program.new"
	mv -f "$out/.$program.new" "$out/$program"
	printf '%s %s\n' "$(wc -c <"$out/$program")" "$program"
}

build banger-vsock-agent agent.c serve.c answers.c http.c info.c ports.c confine.c inet.c kernel-parameter.c text.c
build vsock-get vsock-get.c text.c
build banger-init init.c init-conf.c init-user.c init-run.c init-children.c init-modules.c init-mounts.c init-network.c inet.c kernel-parameter.c text.c

#!/bin/sh
# fuzz.sh [SECONDS]: libFuzzer with the address and undefined-behaviour sanitizers over fuzz.c, from
# the seeds below. Needs clang and its runtime (Debian: clang, libclang-rt-14-dev). Ends with 1 on a
# finding, whose input is then in out/fuzz/.
set -eu

seconds=${1:-60}
here=$(cd "$(dirname "$0")" && pwd)
work=$here/out/fuzz
rm -rf "$work"
mkdir -p "$work/seeds" "$work/corpus"
cd "$work"

seed() {
	# shellcheck disable=SC2059 # the seed is a format on purpose
	printf "$2" >"seeds/$1"
}
seed healthz 'HGET /healthz HTTP/1.1\r\nHost: guest\r\n\r\n'
seed info 'HHEAD /info?x HTTP/1.0\n\n'
seed ports 'HGET http://guest/ports HTTP/1.1\r\nhost:a\r\nAccept: */*\r\n\r\nGET / HTTP/1.1\r\n\r\n'
seed post 'HPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
seed conf 'Cbanger-init 1\0arg=/bin/sh\0env=PATH=/bin\0env=A=1\0env=A=2\0dir=/x\0user=a:b\0stop=SIGRTMIN+3\0hostname=h\0end\0'
seed user 'Uroot:x:0:0:r:/root:/bin/sh\nweb:x:10:11::/web:\n\0root:x:0:\nextra:x:12:a,web\n\0web:extra'
seed kernel 'Kroot=/dev/vda ip=10.0.0.2::10.0.0.1:255.255.255.0:h:eth0:off:1.1.1.1:: banger.dns="1.1.1.1,8.8.8.8" banger.address=10.0.0.3/24 -- x'
seed tcp 'T   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n   1: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A\n eth0: 1 2\n'
seed modules 'Mkernel/a/vsock.ko.xz: kernel/b.ko kernel/c.ko\nalias virtio:d00000001v* virtio_net\n'
seed inet6 'Ifd000000000000000000000000000002 02 40 00 80     eth0\n12.34 5.6\n'

clang -std=c11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-Wall -Wextra -Werror -o fuzz "$here/fuzz.c" "$here/answers.c" "$here/http.c" "$here/info.c" \
	"$here/ports.c" "$here/inet.c" "$here/init-conf.c" "$here/init-user.c" "$here/init-run.c" \
	"$here/init-network.c" "$here/init-modules.c" "$here/init-mounts.c" "$here/kernel-parameter.c" "$here/text.c"
./fuzz -max_total_time="$seconds" -max_len=8192 -timeout=5 -print_final_stats=1 corpus seeds 2>fuzz.log || {
	tail -n 40 fuzz.log >&2
	exit 1
}
grep -E 'number_of_executed_units|average_exec|new_units' fuzz.log

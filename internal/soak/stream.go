package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"time"

	"example.com/xexec"
)

// A stream is what a command writes or reads: bytes that tell by their value
// where they belong, and in which stream.
type stream struct {
	size int
	seed uint64
}

var sizes = []int{0, 1, 4096, 65536, 65537, 1 << 20}

func randomStream(rnd *rand.Rand) stream {
	return stream{sizes[rnd.IntN(len(sizes))], rnd.Uint64()}
}

func (s stream) bytes() []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], s.seed)
	b := make([]byte, s.size)
	rand.NewChaCha8(key).Read(b)
	return b
}

// sayer returns a command that writes s and, after a while, exits with the code.
func (s stream) sayer(code int, after time.Duration) *xexec.Cmd {
	return command("say", strconv.Itoa(s.size), strconv.FormatUint(s.seed, 10),
		strconv.Itoa(code), strconv.FormatInt(after.Milliseconds(), 10))
}

// expect checks that the whole of s has arrived.
func (s stream) expect(what string, got []byte) {
	if len(got) < s.size {
		fail("%s: %d bytes of %d", what, len(got), s.size)
	}
	s.expectStart(what, got)
}

// expectStart checks that s has arrived as far as it was written.
func (s stream) expectStart(what string, got []byte) {
	transferred.Add(int64(len(got)))
	want := s.bytes()
	if bytes.HasPrefix(want, got) {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	fail("%s: %d bytes of %d, and wrong from byte %d on", what, len(got), s.size, at)
}

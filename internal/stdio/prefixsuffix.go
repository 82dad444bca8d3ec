package stdio

import "strconv"

// A PrefixSuffix keeps the first and the last 32 KiB of what is written to it, for
// ExitError.Stderr.
type PrefixSuffix struct {
	prefix  []byte
	suffix  []byte // a ring, once it is full
	next    int    // where in the ring the oldest byte is
	skipped int64
}

const keep = 32 << 10

// Write never fails.
func (s *PrefixSuffix) Write(p []byte) (int, error) {
	n := len(p)
	p = fill(&s.prefix, p)
	if over := len(p) - keep; over > 0 {
		s.skipped += int64(over)
		p = p[over:]
	}
	p = fill(&s.suffix, p)
	for len(p) > 0 {
		m := copy(s.suffix[s.next:], p)
		s.next = (s.next + m) % keep
		s.skipped += int64(m)
		p = p[m:]
	}
	return n, nil
}

// fill appends to dst what it still has room for, and returns the rest.
func fill(dst *[]byte, p []byte) []byte {
	n := min(len(p), keep-len(*dst))
	*dst = append(*dst, p[:n]...)
	return p[n:]
}

// Bytes returns what was kept, with a note where something was left out.
func (s *PrefixSuffix) Bytes() []byte {
	if s.skipped == 0 {
		return append(s.prefix, s.suffix...)
	}
	b := append(s.prefix, "\n... omitting "...)
	b = strconv.AppendInt(b, s.skipped, 10)
	b = append(b, " bytes ...\n"...)
	b = append(b, s.suffix[s.next:]...)
	return append(b, s.suffix[:s.next]...)
}

package udiff

import "testing"

func TestDiff(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{"a\n", "a\n", ""},
		{"", "a\n", "--- f.orig\n+++ f\n@@ -0,0 +1,1 @@\n+a\n"},
		{"a\n", "", "--- f.orig\n+++ f\n@@ -1,1 +0,0 @@\n-a\n"},
		{"a", "a\n", "--- f.orig\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n", "--- f.orig\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n", "--- f.orig\n+++ f\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n"},
	} {
		if got := Diff("f", test.before, test.after); got != test.want {
			t.Errorf("from %q to %q:\n%s", test.before, test.after, got)
		}
	}
}

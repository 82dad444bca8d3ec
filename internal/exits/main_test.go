package exits

import (
	"testing"

	"example.com/xexec/internal/testkit"
)

// beforeTests makes the process something else than the tests.
var beforeTests = func() {}

func TestMain(m *testing.M) {
	beforeTests()
	testkit.Main(m)
}

package exits

import (
	"testing"

	"example.com/xexec/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

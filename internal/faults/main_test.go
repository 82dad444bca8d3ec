package faults_test

import (
	"testing"

	"example.com/xexec/internal/testkit/xtest"
)

func TestMain(m *testing.M) { xtest.Main(m) }

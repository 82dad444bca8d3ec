// Package swap moves a module from os/exec to example.com/xexec and back.
//
// After the move *exec.Cmd is another type. A package is moved only if it, and
// every package of the module it exchanges that type with, still compiles
// afterwards under every build configuration that its files ask for. Where a
// command crosses into code that stays, a conversion is inserted: Std, FromStd,
// or a function literal around a function. Where no conversion exists the
// packages stay as they are, and the reason is kept with its position.
//
// What a package exports that other modules can import keeps os/exec's type, unless
// Options.Exported says otherwise (border.go).
//
// The type checker is the judge. The module is rewritten in memory, checked,
// conversions are added where a value meets the other type, and so on until
// nothing is left to complain about or nothing more can be done (plan.go). What
// compiles but would behave differently, such as a type assertion on a value
// that a dependency made, is looked for separately (silent.go).
package swap

// The two packages between which a module moves.
const (
	Std   = "os/exec"
	Xexec = "example.com/xexec"
)

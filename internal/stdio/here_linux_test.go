package stdio_test

func init() { copiesHere = true }

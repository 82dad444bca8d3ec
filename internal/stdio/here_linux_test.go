package stdio

func init() { copiesHere = true }

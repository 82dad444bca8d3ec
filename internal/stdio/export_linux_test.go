package stdio

var Prewritten = prewritten

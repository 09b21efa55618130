package protocol

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object as readObject reads it, by its keys as they are written. A key that is absent and one that is null are the
// same.
type object map[string]json.RawMessage

// text returns the string at a key, and "" where there is none.
func (o object) text(key string) (string, error) {
	var s string
	if raw, ok := o[key]; ok && json.Unmarshal(raw, &s) != nil {
		return "", bad("the key " + key + " of the request must be a string")
	}
	return s, nil
}

// object returns the object at a key, and an empty one where there is none.
func (o object) object(key string) (object, error) {
	raw, ok := o[key]
	if !ok || string(raw) == "null" {
		return object{}, nil
	}
	inner, err := readObject(bytes.NewReader(raw))
	if err != nil {
		return nil, bad("the key " + key + " of the request must be an object without a key twice")
	}
	return inner, nil
}

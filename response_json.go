package ips

import (
	"encoding/json"
	"fmt"
)

// MarshalResponse gives an answer as JSON, to be kept with its order and read by
// [UnmarshalResponse]. The JSON holds personal data.
func MarshalResponse(answer Response) ([]byte, error) {
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("ips: answer to %s: %w", answer.Base().Operation, err)
	}
	return data, nil
}

// UnmarshalResponse reads what [MarshalResponse] made of an answer to the named
// operation: a pointer to the operation's response type. It verified once; what
// is read back is as trustworthy as where it was kept.
func UnmarshalResponse(name Operation, data []byte) (Response, error) {
	op := describe(name)
	if op == nil {
		return nil, fmt.Errorf("ips: no operation %.40q", name)
	}
	answer := op.newResponse()
	if err := json.Unmarshal(data, answer); err != nil {
		return nil, fmt.Errorf("ips: recorded answer to %s: %w", name, err)
	}
	return answer, nil
}

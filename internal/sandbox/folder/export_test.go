package folder

// Frame is a frame of a journal.
func Frame(first uint64, body []byte) []byte {
	whole := append(make([]byte, headLen), body...)
	putHead(whole, first)
	return whole
}

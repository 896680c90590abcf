package ips

// ForgetDocument takes from an answer what [Compare] remembers of its document,
// so that it can be compared with one that a test has written down.
func ForgetDocument(answer Response) { answer.Base().said = nil }

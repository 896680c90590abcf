package console

import "strings"

// longestArgument keeps clear of the 128 KiB that Linux allows one argument of
// a program.
const longestArgument = 100 << 10

// curlCommand is a line for a POSIX shell that posts a form as the sandbox
// does. A form too long for an argument goes through a pipe: printf is part
// of the shell.
func curlCommand(address, form string) string {
	const curl = "curl -sS -i -g --path-as-is -H 'Content-Type: application/x-www-form-urlencoded'"
	if len(form) > longestArgument {
		return "printf %s " + shellQuote(form) + " | " + curl + " --data-binary @- --url " + shellQuote(address)
	}
	return curl + " --data-raw " + shellQuote(form) + " --url " + shellQuote(address)
}

// shellQuote makes s one word of a shell, whatever it holds.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

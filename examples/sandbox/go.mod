module github.com/ips-p2p/ips/examples/sandbox

go 1.26.0

require (
	github.com/ips-p2p/ips v0.1.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)

module github.com/ips-p2p/ips

go 1.25.0

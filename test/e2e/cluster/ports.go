package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePorts finds n ports of the loopback interface that nobody listens on, below the range from
// which the kernel gives out ports to connections.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found, so that they differ
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("finding %d free ports: none among 1,000 tried", n)
}

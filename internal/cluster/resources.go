package cluster

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// A quantity is an amount of a resource as Kubernetes writes it: "500m", "4Gi".
type quantity string

// UnmarshalJSON takes numbers too, as people write them in YAML.
func (q *quantity) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(q))
	}
	*q = quantity(b)
	return nil
}

// value returns the amount, 0 if it cannot be read.
func (q quantity) value() resource.Quantity {
	if len(q) > 64 {
		return resource.Quantity{}
	}
	v, err := resource.ParseQuantity(strings.TrimSpace(string(q)))
	if err != nil {
		return resource.Quantity{}
	}
	return v
}

// Resources are what nodes have for pods, in all.
type Resources struct {
	Cores  float64 `json:"cores"`
	Memory int64   `json:"memory"` // bytes
}

func (r *Resources) add(o Resources) {
	r.Cores += o.Cores
	r.Memory += o.Memory
}

func resourcesOf(allocatable map[string]quantity) Resources {
	cpu, memory := allocatable["cpu"].value(), allocatable["memory"].value()
	return Resources{Cores: float64(cpu.MilliValue()) / 1000, Memory: memory.Value()}
}

// String returns the resources as words: "48 cores, 190.5 GiB".
func (r Resources) String() string {
	return fmt.Sprintf("%s cores, %s GiB", short(r.Cores), short(float64(r.Memory)/(1<<30)))
}

func short(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

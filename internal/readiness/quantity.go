package readiness

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// suffixes of quantities, those of two letters first.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
var suffixes = []struct {
	text   string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"Pi", 1 << 50}, {"Ei", 1 << 60},
	{"n", 1e-9}, {"u", 1e-6}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18},
}

// quantity returns an amount as Kubernetes writes it ("500m", "4Gi", "1e3"), 0
// if it cannot be read or is below zero. Amounts of cores and bytes are exact;
// as in Kubernetes, none is larger than an int64 holds.
func quantity(s string) float64 {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789.+-eEKMGTPikmun") != "" {
		return 0
	}
	factor := 1.0
	for _, x := range suffixes {
		if rest, ok := strings.CutSuffix(s, x.text); ok {
			s, factor = rest, x.factor
			break
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(v) || v <= 0 {
		return 0
	}
	return min(v*factor, math.MaxInt64)
}

// Resources are what Pods request.
type Resources struct {
	Cores  float64 `json:"cores"`
	Memory float64 `json:"memory"` // bytes
}

func (r Resources) plus(o Resources) Resources {
	return Resources{r.Cores + o.Cores, r.Memory + o.Memory}
}

func (r Resources) times(n int) Resources {
	return Resources{r.Cores * float64(n), r.Memory * float64(n)}
}

func (r Resources) max(o Resources) Resources {
	return Resources{max(r.Cores, o.Cores), max(r.Memory, o.Memory)}
}

// GiB returns the memory as people count it.
func (r Resources) GiB() float64 { return r.Memory / (1 << 30) }

// short writes a number with one digit behind the point at most.
func short(f float64) string {
	if f > 0 && f < 0.05 {
		return "<0.1"
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

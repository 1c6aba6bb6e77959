package pod

// A Spec is what the scheduler looks at.
type Spec struct {
	Containers   []Container   // initContainers first, in the file's order
	NodeName     string        // not empty: the Pod is already placed
	NodeSelector []Requirement // each of operator In with one value
	Required     bool          // requiredDuringSchedulingIgnoredDuringExecution is there
	Terms        []Term        // its nodeSelectorTerms, which are ORed
	Preferred    []Preferred   // preferredDuringSchedulingIgnoredDuringExecution
	Tolerations  []Toleration
}

// A Container is a container or an init container.
type Container struct {
	Name, Image string
	Line        int // of the image
}

// A Term is a node selector term. Its requirements are ANDed; a term without
// any matches no node.
type Term struct {
	Expressions []Requirement // matchExpressions: node labels
	Fields      []Requirement // matchFields
	Line        int
}

// Empty reports whether the term matches no node.
func (t Term) Empty() bool { return len(t.Expressions) == 0 && len(t.Fields) == 0 }

// A Preferred is a term that the scheduler weighs and that keeps a Pod off no node.
type Preferred struct {
	Weight int // 1 to 100
	Term   Term
}

// A Preference is a preferred term to write: a new one, or one that takes the
// place of Spec.Preferred[Replaces], or with Drop, nothing in its place.
type Preference struct {
	Preferred
	Replaces int // -1: none
	Drop     bool
}

// A Requirement is a node selector requirement.
type Requirement struct {
	Key      string
	Operator string // In, NotIn, Exists, DoesNotExist, Gt, Lt
	Values   []string
	Field    string // where it stands: spec.template.spec.nodeSelector
	Line     int
}

// In is the requirement that a label has one of the values.
func In(key string, values ...string) Requirement {
	return Requirement{Key: key, Operator: "In", Values: values}
}

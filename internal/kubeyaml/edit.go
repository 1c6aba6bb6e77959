package kubeyaml

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"

	"github.com/polyarch/polyarch/internal/exit"
	"github.com/polyarch/polyarch/internal/pod"
)

// Affinity writes terms where the PodSpec has no required node affinity, and
// adds requirements to the terms it has: existing has for each of them the
// forms it is to take, as affinity.Change has them. Preferred terms are added,
// take the place of the one with their index in Spec.Preferred, or drop it.
func (w *Workload) Affinity(fresh []pod.Term, existing [][][]pod.Requirement, preferred []pod.Preference) error {
	node := child(child(w.pod, "affinity"), "nodeAffinity")
	var missing dict // entries of nodeAffinity
	if len(fresh) > 0 {
		if child(node, requiredKey) == nil {
			missing = append(missing, entry{requiredKey, dict{{termsKey, terms(fresh)}}})
		} else if err := w.ensure(node, terms(fresh), requiredKey, termsKey); err != nil {
			return err
		}
	}
	var added list
	var dropped []int
	for _, p := range preferred {
		if p.Drop {
			dropped = append(dropped, p.Replaces)
			continue
		}
		if p.Replaces >= 0 {
			if err := w.weigh(child(node, preferredKey).kids[p.Replaces].resolve(), w.Spec.Preferred[p.Replaces], p.Preferred); err != nil {
				return err
			}
			continue
		}
		added = append(added, dict{{"weight", number(strconv.Itoa(p.Weight))}, {"preference", dict{{"matchExpressions", requirements(p.Term.Expressions)}}}})
	}
	if len(dropped) > 0 {
		w.dropItems(node, preferredKey, dropped)
	}
	if len(added) > 0 {
		if child(node, preferredKey) == nil {
			missing = append(missing, entry{preferredKey, added})
		} else if err := w.prepend(node, preferredKey, added); err != nil {
			return err
		}
	}
	if len(missing) > 0 || len(existing) > 0 && slices.ContainsFunc(existing, func(f [][]pod.Requirement) bool { return len(f) > 0 }) {
		if w.covers != nil {
			return exit.Failf("%s applies as long as %s has no affinity of its own, which it would get", w.coversAt, w.path).OnLine(w.covers.line, 0).
				Hint("move %s into each of the templates", w.coversAt)
		}
	}
	if len(missing) > 0 {
		if err := w.entries(missing, w.pod, "affinity", "nodeAffinity"); err != nil {
			return err
		}
	}
	return w.extend(child(child(node, requiredKey), termsKey), existing)
}

// weigh gives a preferred term that has the same shape another weight and other
// values.
func (w *Workload) weigh(item *node, old, now pod.Preferred) error {
	if old.Weight != now.Weight {
		if err := w.overwrite(item, "weight", strconv.Itoa(now.Weight)); err != nil {
			return err
		}
	}
	expressions := child(child(item, "preference"), "matchExpressions")
	for i, r := range now.Term.Expressions {
		if old.Term.Expressions[i].Values[0] == r.Values[0] {
			continue
		}
		values := child(expressions.kids[i].resolve(), "values")
		if err := w.substitute(values.kids[0], r.Values[0]); err != nil {
			return err
		}
	}
	return nil
}

// extend adds requirements to terms, and copies those that take several forms.
func (w *Workload) extend(ts *node, existing [][][]pod.Requirement) error {
	var copies []pod.Term
	for i, forms := range existing {
		if len(forms) == 0 {
			continue
		}
		term := ts.kids[i].resolve()
		if len(forms) > 1 {
			if err := copyable(term); err != nil {
				return err
			}
		}
		for _, add := range forms[:len(forms)-1] {
			t := w.Spec.Terms[i]
			t.Expressions = slices.Concat(add, t.Expressions)
			copies = append(copies, t)
		}
		if add := forms[len(forms)-1]; len(add) > 0 {
			if err := w.prepend(term, "matchExpressions", requirements(add)); err != nil {
				return err
			}
		}
	}
	if len(copies) == 0 {
		return nil
	}
	return w.insertItems(ts, terms(copies))
}

// copyable refuses to repeat a term of which not all is understood.
func copyable(term *node) error {
	refuse := func(n *node, what string) error {
		return exit.Failf("this node selector term has to be repeated, once for each operating system, and %s", what).OnLine(n.line, n.col).
			Hint("correct it; the API server refuses it as it is")
	}
	for i, k := range term.keys {
		if !k.is("matchExpressions") && !k.is("matchFields") {
			return refuse(k, "has the unknown field "+k.resolve().str())
		}
		for _, e := range term.kids[i].resolve().kids {
			e = e.resolve()
			for j, k := range e.keys {
				v := e.kids[j].resolve()
				switch {
				case !k.is("key") && !k.is("operator") && !k.is("values"):
					return refuse(k, "has the unknown field "+k.resolve().str())
				case !k.is("values") && (v.kind != scalar || v.null):
					return refuse(k, k.resolve().value+" is not a string")
				}
			}
			if e.kind != mapping || e.text("key") == "" || e.text("operator") == "" {
				return refuse(e, "a requirement of it has no key or operator")
			}
		}
	}
	return nil
}

// Tolerations adds tolerations to the PodSpec.
func (w *Workload) Tolerations(ts []pod.Toleration) error {
	if len(ts) == 0 {
		return nil
	}
	return w.prepend(w.pod, "tolerations", tolerations(ts))
}

// SetImage replaces the image of Spec.Containers[i].
func (w *Workload) SetImage(i int, ref string) error {
	n := w.images[i]
	if n.uses == 0 && len(w.doc.planned[n]) > 0 { // several Pods of the object run it
		return nil
	}
	if !reference.MatchString(ref) {
		return exit.Failf("%q is not an image reference", ref).OnLine(n.line, 0)
	}
	return w.substitute(n, ref)
}

// overwrite replaces the value of a scalar under a key.
func (w *Workload) overwrite(m *node, key, text string) error {
	_, v := m.get(key)
	return w.substitute(v, text)
}

// substitute replaces a scalar by a text that needs no quotes.
func (w *Workload) substitute(n *node, text string) error {
	src := w.doc.chunk.Bytes
	w.doc.plan(n, change{replace, text})
	if n.alias != nil {
		if w.doc.replaced == nil {
			w.doc.replaced = map[*node]int{}
		}
		w.doc.replaced[n.alias]++
		w.doc.edit(n, n.start, len("*"+n.value), text)
		return nil
	}
	start := n.content(src)
	if n.quote == '"' || n.quote == '\'' {
		start++
	}
	if n.encoded || !bytes.HasPrefix(src[start:], []byte(n.value)) {
		return exit.Failf("the image %s is written over several lines, or with escapes", n.str()).OnLine(n.line, n.col).
			Hint("write it out on one line")
	}
	w.doc.edit(n, start, len(n.value), text)
	return nil
}

var reference = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`)

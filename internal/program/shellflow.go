package program

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// list follows statements in order. The last one's failure is the list's where
// tail is set.
func (s *shellRun) list(stmts []*syntax.Stmt, tail bool) (all result, how end) {
	for n, stmt := range stmts {
		r, e := s.stmt(stmt, tail && n == len(stmts)-1)
		if e != ends && !(tail && n == len(stmts)-1) && !s.errexit {
			r = r.maybe()
		}
		all = all.and(r)
		if e == ends {
			return all, ends
		}
		how = max(how, e)
	}
	return all, how
}

func (s *shellRun) stmt(stmt *syntax.Stmt, tail bool) (r result, how end) {
	for _, d := range stmt.Redirs {
		if d.Word == nil {
			continue
		}
		to, ok := s.field(d.Word)
		writes := d.Op == syntax.RdrOut || d.Op == syntax.AppOut || d.Op == syntax.RdrAll || d.Op == syntax.AppAll || d.Op == syntax.RdrClob
		if writes && !(ok && (strings.HasPrefix(to, "/dev/") || strings.HasPrefix(to, "/proc/") || strings.HasPrefix(to, "/tmp/") || strings.HasPrefix(to, "/run/") || strings.HasPrefix(to, "/var/"))) {
			s.st.changed = "a script that writes to " + to
		}
	}
	if stmt.Cmd == nil {
		return result{}, goesOn
	}
	if stmt.Background || stmt.Coprocess {
		r, _ := s.apart(func(s *shellRun) (result, end) { return s.command(stmt.Cmd, false) })
		return r.maybe(), goesOn
	}
	r, how = s.command(stmt.Cmd, tail && !stmt.Negated)
	if stmt.Negated {
		r = r.maybe()
	}
	return r, how
}

// apart follows what happens in a subshell.
func (s *shellRun) apart(do func(*shellRun) (result, end)) (result, end) {
	sub := *s
	st := s.st.clone()
	sub.st, sub.ends = &st, nil
	r, _ := do(&sub)
	for _, e := range sub.ends {
		r = r.or(e)
	}
	s.st.changed = st.changed
	return r, goesOn
}

// either follows what may not happen. Whatever it sets is not known after it.
func (s *shellRun) either(do func() (result, end)) (result, end) {
	s.branch++
	r, how := do()
	s.branch--
	if how == ends {
		if s.failed || r.again {
			s.failed = false
			return r.maybe(), mayEnd
		}
		s.ends = append(s.ends, r)
		return result{}, mayEnd
	}
	return r.maybe(), how
}

func (s *shellRun) command(c syntax.Command, tail bool) (result, end) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		return s.call(c)
	case *syntax.BinaryCmd:
		return s.binaryCommand(c, tail)
	case *syntax.Block:
		return s.list(c.Stmts, tail)
	case *syntax.Subshell:
		return s.apart(func(s *shellRun) (result, end) { return s.list(c.Stmts, tail) })
	case *syntax.IfClause:
		return s.ifClause(c, tail)
	case *syntax.WhileClause:
		r, how := s.either(func() (result, end) {
			a, _ := s.list(c.Cond, false)
			b, e := s.list(c.Do, false)
			return a.and(b), min(e, mayEnd)
		})
		return r, how
	case *syntax.ForClause:
		if it, ok := c.Loop.(*syntax.WordIter); ok && it.Name != nil {
			s.forget(it.Name.Value)
		}
		return s.either(func() (result, end) {
			r, e := s.list(c.Do, false)
			return r, min(e, mayEnd)
		})
	case *syntax.CaseClause:
		r, how := s.substitutions(c.Word), goesOn
		for _, item := range c.Items {
			one, e := s.either(func() (result, end) { return s.list(item.Stmts, tail) })
			r, how = r.and(one), max(how, e)
		}
		return r, how
	case *syntax.FuncDecl:
		s.functions[c.Name.Value] = c.Body
		return result{}, goesOn
	case *syntax.DeclClause:
		r := result{}
		for _, a := range c.Args {
			r = r.and(s.assign(a))
		}
		return r, goesOn
	case *syntax.TestClause, *syntax.ArithmCmd, *syntax.LetClause:
		return s.substitutions(c), goesOn
	case *syntax.TimeClause:
		if c.Stmt == nil {
			return result{}, goesOn
		}
		return s.stmt(c.Stmt, tail)
	}
	s.lost("a script with commands that are not followed")
	return doubt("a script has commands that are not followed"), mayEnd
}

func (s *shellRun) binaryCommand(c *syntax.BinaryCmd, tail bool) (result, end) {
	switch c.Op {
	case syntax.AndStmt:
		if yes, known := s.condition([]*syntax.Stmt{c.X}); known {
			if yes {
				return s.stmt(c.Y, tail)
			}
			return result{}, goesOn
		}
		left, how := s.stmt(c.X, tail)
		if how == ends {
			return left, ends
		}
		if s.certain(c.X) {
			right, e := s.stmt(c.Y, tail)
			return left.and(right), e
		}
		right, e := s.either(func() (result, end) { return s.stmt(c.Y, tail) })
		return left.and(right), max(how, e)
	case syntax.OrStmt:
		if yes, known := s.condition([]*syntax.Stmt{c.X}); known {
			if !yes {
				return s.stmt(c.Y, tail)
			}
			return result{}, goesOn
		}
		left, how := s.stmt(c.X, false)
		right, e := s.either(func() (result, end) { return s.stmt(c.Y, tail) })
		return left.maybe().and(right), max(min(how, mayEnd), e)
	}
	left, _ := s.apart(func(s *shellRun) (result, end) { return s.stmt(c.X, false) })
	right, _ := s.apart(func(s *shellRun) (result, end) { return s.stmt(c.Y, tail) })
	return left.maybe().and(right), goesOn
}

func (s *shellRun) ifClause(c *syntax.IfClause, tail bool) (result, end) {
	if yes, known := s.condition(c.Cond); known {
		switch {
		case yes:
			return s.list(c.Then, tail)
		case c.Else == nil:
			return result{}, goesOn
		case len(c.Else.Cond) > 0:
			return s.ifClause(c.Else, tail)
		}
		return s.list(c.Else.Then, tail)
	}
	cond, how := s.either(func() (result, end) { return s.list(c.Cond, false) })
	then, e := s.either(func() (result, end) { return s.list(c.Then, false) })
	r := cond.and(then)
	how = max(how, e)
	if c.Else != nil {
		var other result
		if len(c.Else.Cond) > 0 {
			other, e = s.either(func() (result, end) { return s.ifClause(c.Else, false) })
		} else {
			other, e = s.either(func() (result, end) { return s.list(c.Else.Then, false) })
		}
		r, how = r.and(other), max(how, e)
	}
	return r, how
}

// certain reports whether a statement is one that succeeds: a program that was
// started is not known to.
func (s *shellRun) certain(stmt *syntax.Stmt) bool {
	if stmt.Negated || stmt.Background {
		return false
	}
	switch c := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return true
		}
		switch name, _ := s.field(c.Args[0]); name {
		case "cd":
			return s.st.noCwd == ""
		case "echo", "printf", "true", ":", "export", "set", "umask", "ulimit", "trap", "exec":
			return true
		}
	case *syntax.DeclClause:
		return true
	case *syntax.BinaryCmd:
		return c.Op == syntax.AndStmt && s.certain(c.X) && s.certain(c.Y)
	}
	return false
}

package program

import (
	"slices"

	"mvdan.cc/sh/v3/syntax"
)

// condition tells whether a condition holds, as far as it is one of texts that
// are known. What the config's arguments decide is decided here.
func (s *shellRun) condition(stmts []*syntax.Stmt) (yes, known bool) {
	if len(stmts) != 1 || len(stmts[0].Redirs) > 0 || stmts[0].Background {
		return false, false
	}
	stmt := stmts[0]
	switch c := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		if len(c.Args) == 0 || len(c.Assigns) > 0 {
			return false, false
		}
		argv, ok := s.fields(c.Args)
		if !ok || len(argv) == 0 {
			return false, false
		}
		switch {
		case argv[0] == "[" && argv[len(argv)-1] == "]":
			yes, known = test(argv[1 : len(argv)-1])
		case argv[0] == "test":
			yes, known = test(argv[1:])
		case len(argv) == 1 && (argv[0] == "true" || argv[0] == ":"):
			yes, known = true, true
		case len(argv) == 1 && argv[0] == "false":
			yes, known = false, true
		}
	case *syntax.TestClause:
		yes, known = s.expression(c.X)
	case *syntax.BinaryCmd:
		yes, known = s.both(c)
	}
	if stmt.Negated {
		yes = !yes
	}
	return yes, known
}

func (s *shellRun) both(c *syntax.BinaryCmd) (yes, known bool) {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		return false, false
	}
	x, xKnown := s.condition([]*syntax.Stmt{c.X})
	y, yKnown := s.condition([]*syntax.Stmt{c.Y})
	if c.Op == syntax.AndStmt {
		return x && y, xKnown && yKnown || xKnown && !x
	}
	return x || y, xKnown && yKnown || xKnown && x
}

// test is test(1) of texts. It does not test files: a script may have created
// them.
func test(args []string) (yes, known bool) {
	if at := slices.Index(args, "-o"); at > 0 {
		x, xKnown := test(args[:at])
		y, yKnown := test(args[at+1:])
		return x || y, xKnown && yKnown
	}
	if at := slices.Index(args, "-a"); at > 0 {
		x, xKnown := test(args[:at])
		y, yKnown := test(args[at+1:])
		return x && y, xKnown && yKnown || xKnown && !x || yKnown && !y
	}
	switch {
	case len(args) == 0:
		return false, true
	case len(args) == 1:
		return args[0] != "", true
	case args[0] == "!":
		yes, known = test(args[1:])
		return !yes, known
	case len(args) == 2 && args[0] == "-z":
		return args[1] == "", true
	case len(args) == 2 && args[0] == "-n":
		return args[1] != "", true
	case len(args) == 3 && (args[1] == "=" || args[1] == "=="):
		return args[0] == args[2], true
	case len(args) == 3 && args[1] == "!=":
		return args[0] != args[2], true
	}
	return false, false
}

// expression is [[ … ]] of plain texts.
func (s *shellRun) expression(x syntax.TestExpr) (yes, known bool) {
	switch x := x.(type) {
	case *syntax.ParenTest:
		return s.expression(x.X)
	case *syntax.UnaryTest:
		w, ok := x.X.(*syntax.Word)
		if x.Op == syntax.TsNot {
			yes, known = s.expression(x.X)
			return !yes, known
		}
		if !ok {
			return false, false
		}
		v, ok := s.field(w)
		switch x.Op {
		case syntax.TsEmpStr:
			return v == "", ok
		case syntax.TsNempStr:
			return v != "", ok
		}
	case *syntax.BinaryTest:
		if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
			a, aKnown := s.expression(x.X)
			b, bKnown := s.expression(x.Y)
			if x.Op == syntax.AndTest {
				return a && b, aKnown && bKnown || aKnown && !a
			}
			return a || b, aKnown && bKnown || aKnown && a
		}
		l, lOK := x.X.(*syntax.Word)
		r, rOK := x.Y.(*syntax.Word)
		if !lOK || !rOK {
			return false, false
		}
		a, aKnown := s.field(l)
		b, bKnown := s.field(r)
		switch x.Op {
		case syntax.TsMatch, syntax.TsMatchShort:
			return a == b, aKnown && bKnown
		case syntax.TsNoMatch:
			return a != b, aKnown && bKnown
		}
	}
	return false, false
}

module github.com/polyarch/polyarch

go 1.26.0

// bench/loads/marking.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import "runtime"

type vertex struct{ left, right *vertex }

var root *vertex

func grow(depth int) *vertex {
	if depth == 1 {
		return new(vertex)
	}
	return &vertex{grow(depth - 1), grow(depth - 1)}
}

func growRandomly(n int) *vertex {
	table, seed := make([]*vertex, n), uint64(1)
	for i := range table {
		table[i] = new(vertex)
	}
	for i := n - 1; i > 0; i-- {
		k := int(random(&seed)) % (i + 1)
		table[i], table[k] = table[k], table[i]
	}
	for i := 0; 2*i+2 < n; i++ {
		table[i].left, table[i].right = table[2*i+1], table[2*i+2]
	}
	return table[0]
}

func (v *vertex) count() int {
	if v == nil {
		return 0
	}
	return 1 + v.left.count() + v.right.count()
}

func marking(randomly bool) {
	depth, times := 21, 5
	if quick {
		depth, times = 16, 2
	}
	n := 1<<depth - 1
	if randomly {
		root = growRandomly(n)
	} else {
		root = grow(depth)
	}
	runtime.GC()
	begin()
	for i := 0; i < times; i++ {
		runtime.GC()
	}
	end(float64(n * times))
	if root.count() != n {
		fail("a vertex was lost")
	}
	check(uint64(n) << 12)
}

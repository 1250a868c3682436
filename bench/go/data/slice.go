// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"cmp"
	"runtime"
	"slices"
)

type cell struct{ n int64 }

//go:noinline
func appendNumbers(n int) []int64 {
	var s []int64
	for i := 0; i < n; i++ {
		s = append(s, int64(i))
	}
	return s
}

func measureAppendLarge() {
	const n = 100000000
	runtime.GC()
	wall, c := now(), cpu()
	s := appendNumbers(n)
	add("append-100m-wall", float64(now()-wall)/n)
	add("append-100m", float64(cpu()-c)/n)
	sink += uint64(s[n/2])
	s = nil
	runtime.GC()
}

func measureAppendSmall(each int, name string) {
	n := 20000000 / each
	c := cpu()
	for i := 0; i < n; i++ {
		sink += uint64(len(appendNumbers(each)))
	}
	add(name, float64(cpu()-c)/float64(n)/float64(each))
}

//go:noinline
func appendCells(c *cell, n int) []*cell {
	var s []*cell
	for i := 0; i < n; i++ {
		s = append(s, c)
	}
	return s
}

func measureAppendPointers() {
	const n = 20000
	x := new(cell)
	c := cpu()
	for i := 0; i < n; i++ {
		sink += uint64(len(appendCells(x, 1000)))
	}
	add("append-pointer-1000", float64(cpu()-c)/n/1000)
}

func randomNumbers(n int) []int64 {
	x := uint64(88172645463325252)
	s := make([]int64, n)
	for i := range s {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		s[i] = int64(x >> 1)
	}
	return s
}

func measureSort() {
	const n = 1000000
	s := randomNumbers(n)
	c := cpu()
	slices.Sort(s)
	add("sort-1m", float64(cpu()-c)/n)
	s = randomNumbers(n)
	c = cpu()
	slices.SortFunc(s, func(a, b int64) int { return cmp.Compare(a, b) })
	add("sort-func-1m", float64(cpu()-c)/n)
	sink += uint64(s[n/2])
}

func measureSlices() {
	measureAppendLarge()
	measureAppendSmall(10, "append-10")
	measureAppendSmall(1000, "append-1000")
	measureAppendPointers()
	measureSort()
}

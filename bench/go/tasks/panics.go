// bench/gort/tasks/panics.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

var calls uint64

//go:noinline
func countCall() { calls++ }

//go:noinline
func deferOne() { defer countCall() }

func deferLoad() {
	n := count(100000000)
	begin()
	for i := 0; i < n; i++ {
		deferOne()
	}
	end(float64(n))
	check(calls << 12)
}

//go:noinline
func deferBatch(batch int) {
	for i := 0; i < batch; i++ {
		defer countCall()
	}
}

func deferLoop() {
	batches, batch := count(100000), 100
	begin()
	for i := 0; i < batches; i++ {
		deferBatch(batch)
	}
	end(float64(batches * batch))
	check(calls << 12)
}

//go:noinline
func panicBelow(left int) {
	if left > 0 {
		panicBelow(left - 1)
	}
	panic("it is over")
}

func catch(depth int) (message string) {
	defer func() { message = recover().(string) }()
	panicBelow(depth)
	return
}

func panicFrom(depth int) {
	n, caught := count(2000000), 0
	begin()
	for i := 0; i < n; i++ {
		if catch(depth) != "" {
			caught++
		}
	}
	end(float64(n))
	check(uint64(caught) << 12)
}

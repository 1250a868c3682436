// bench/loads/small.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"runtime"
	"unsafe"
)

type head struct{ first, second unsafe.Pointer }
type typed16 struct{ head }
type typed32 struct {
	head
	rest [16]byte
}
type typed64 struct {
	head
	rest [48]byte
}
type typed256 struct {
	head
	rest [240]byte
}
type noscan16 [2]int64
type noscan32 [4]int64
type noscan64 [8]int64
type noscan256 [32]int64

// A sink for each job, on a line of its own.  Only a store into the heap keeps the compiler from
// allocating on the stack.
type sink struct {
	p    unsafe.Pointer
	rest [120]byte
}

var sinks [64]sink

func small[T any](n int) {
	jobs(procs, func(job int) {
		s := &sinks[job]
		for i := 0; i < n; i++ {
			s.p = unsafe.Pointer(new(T))
		}
	})
}

func measure[T any]() {
	var t T
	var before, after runtime.MemStats
	size := unsafe.Sizeof(t)
	count := 4000000
	if quick {
		count = 400000
	}
	if size > 64 {
		count /= 2
	}
	small[T](count / 8)
	runtime.ReadMemStats(&before)
	total := float64(count) * float64(procs)
	begin()
	small[T](count)
	end(total)
	runtime.ReadMemStats(&after)
	if float64(after.TotalAlloc-before.TotalAlloc) < total*float64(size) {
		fail("objects are missing")
	}
	check(uint64(count) << 12)
}

var variants = map[string]func(){
	"roomy-16": measure[typed16], "roomy-32": measure[typed32],
	"roomy-64": measure[typed64], "roomy-256": measure[typed256],
	"typed-16": measure[typed16], "noscan-16": measure[noscan16], "zeroed-16": measure[noscan16],
	"typed-32": measure[typed32], "noscan-32": measure[noscan32], "zeroed-32": measure[noscan32],
	"typed-64": measure[typed64], "noscan-64": measure[noscan64], "zeroed-64": measure[noscan64],
	"typed-256": measure[typed256], "noscan-256": measure[noscan256], "zeroed-256": measure[noscan256],
}

type node struct {
	next, other *node
	block       *[256]byte
}

var kept *node

func largeHeap() {
	n := 300000
	if quick {
		n = 20000
	}
	for i := 0; i < n; i++ {
		kept = &node{next: kept, other: new(node), block: new([256]byte)}
	}
	measure[typed64]()
	t := rusage()
	runtime.GC()
	figure("collect", float64(rusage()-t)/1e6)
}

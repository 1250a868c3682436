// The lines of bench/alloc.c, in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	count = 2000000
	nKept = 200000
)

type typed16 struct {
	pointer unsafe.Pointer
	rest    [8]byte
}
type typed32 struct {
	pointer unsafe.Pointer
	rest    [24]byte
}
type typed64 struct {
	pointer unsafe.Pointer
	rest    [56]byte
}
type typed256 struct {
	pointer unsafe.Pointer
	rest    [248]byte
}
type noscan16 [2]int64
type noscan32 [4]int64
type noscan64 [8]int64
type noscan256 [32]int64

var sink unsafe.Pointer

// CPU time of the process.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func measure[T any](name string) {
	t := cpu()
	for range count {
		sink = unsafe.Pointer(new(T))
	}
	fmt.Printf("%s %f\n", name, float64((cpu()-t).Nanoseconds())/count)
}

type node struct {
	next, other *node
	block       *noscan256
}

var kept *node

func keep() {
	for range nKept {
		kept = &node{next: kept, other: new(node), block: new(noscan256)}
	}
}

func main() {
	measure[typed16]("typed-16")
	measure[noscan16]("noscan-16")
	measure[typed32]("typed-32")
	measure[noscan32]("noscan-32")
	measure[typed64]("typed-64")
	measure[noscan64]("noscan-64")
	measure[typed256]("typed-256")
	measure[noscan256]("noscan-256")
	keep()
	measure[typed64]("typed-64-large-heap")
	measure[noscan64]("noscan-64-large-heap")
	t := cpu()
	runtime.GC()
	fmt.Printf("collection-us %f\n", float64((cpu()-t).Nanoseconds())/1000)
}

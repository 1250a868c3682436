// bench/loads/ring.c, nodes.c, heap.c and garbage.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import (
	"math/bits"
	"runtime"
	"time"
)

const message = 1024

var window [][]byte

func push(i int) time.Duration {
	begin := time.Now()
	m := make([]byte, message)
	for k := range m {
		m[k] = byte(i)
	}
	window[i%len(window)] = m
	return time.Since(begin)
}

func ring() {
	window = make([][]byte, pick(20000, 200000))
	all, worst := 10*len(window), time.Duration(0)
	for i := range window {
		push(i)
	}
	pausesBegin()
	begin()
	for i := len(window); i < all; i++ {
		if t := push(i); t > worst {
			worst = t
		}
	}
	end(float64(all - len(window)))
	figure("worst", float64(worst)/1e3)
	pausesEnd("")
	sum := uint64(0)
	for i := all - len(window); i < all; i++ {
		m := window[i%len(window)]
		if m[0] != byte(i) || m[message-1] != byte(i) {
			fail("a message was lost")
		}
		sum = mix(sum, uint64(m[message/2]))
	}
	check(sum)
}

type place struct {
	left, right    *place
	number, square uint64
}

var placesRoot *place

func (v *place) count() int {
	if v == nil {
		return 0
	}
	if v.square != v.number*v.number {
		fail("a node was overwritten")
	}
	return 1 + v.left.count() + v.right.count()
}

func linkPlaces(randomly bool, n int) *place {
	table, seed := make([]*place, n), uint64(1)
	for i := range table {
		table[i] = new(place)
	}
	for i := n - 1; randomly && i > 0; i-- {
		k := int(random(&seed)) % (i + 1)
		table[i], table[k] = table[k], table[i]
	}
	for i, v := range table {
		v.number, v.square = uint64(i), uint64(i)*uint64(i)
		if 2*i+1 < n {
			v.left = table[2*i+1]
		}
		if 2*i+2 < n {
			v.right = table[2*i+2]
		}
	}
	return table[0]
}

func nodes(randomly bool) {
	n, times := pick(1000000, 20000000), pick(2, 5)
	placesRoot = linkPlaces(randomly, n)
	runtime.GC()
	marking := markCPU()
	begin()
	for i := 0; i < times; i++ {
		runtime.GC()
	}
	end(float64(n * times))
	figure("mark-each", (markCPU()-marking)*1e9/float64(n*times))
	if placesRoot.count() != n {
		fail("a node was lost")
	}
	check(uint64(n) << 12)
}

const (
	forestDepth  = 13
	forestKB     = 512
	garbageDepth = 9
)

type leaf struct {
	left, right *leaf
	payload     [6]uint64
}

var forest []*leaf

func growLeaf(depth int) *leaf {
	if depth == 0 {
		return nil
	}
	l := &leaf{left: growLeaf(depth - 1), right: growLeaf(depth - 1)}
	l.payload[0] = uint64(depth)
	return l
}

func (l *leaf) count() int {
	if l == nil {
		return 0
	}
	return 1 + l.left.count() + l.right.count()
}

func mutate(lane int, seed *uint64) {
	share := len(forest) / procs
	l := forest[lane*share+int(random(seed))%share]
	for i := int(random(seed)) % (forestDepth - 1); i > 0; i-- {
		if random(seed)%2 != 0 {
			l = l.left
		} else {
			l = l.right
		}
	}
	l.left, l.right = l.right, l.left
}

func measureHeap(prefix string, megabytes int) pauses {
	for len(forest) < megabytes*(1024/forestKB) {
		forest = append(forest, growLeaf(forestDepth))
	}
	seeds := make([][8]uint64, procs)
	churn := func(lane int) {
		if growLeaf(garbageDepth).count() != 1<<garbageDepth-1 {
			fail("garbage was lost")
		}
		for i := 0; i < 100; i++ {
			mutate(lane, &seeds[lane][0])
		}
	}
	collectWhile(procs, 1, churn)
	pausesBegin()
	collectWhile(procs, pick(3, 10), churn)
	return pausesEnd(prefix)
}

func heap() {
	large := setting("GORT_BENCH_HEAP_MB", pick(64, 4096))
	forest = make([]*leaf, 0, large*(1024/forestKB))
	s := measureHeap("small-", pick(8, 100))
	l := measureHeap("large-", large)
	figure("growth-p50", l.p50/s.p50)
	figure("growth-p99", l.p99/s.p99)
	n := 0
	for _, l := range forest {
		n += l.count()
	}
	if n != len(forest)*(1<<forestDepth-1) {
		fail("a node was lost")
	}
	check(uint64(n) << 12)
}

const (
	leastDepth = 4
	mostDepth  = 12
)

type branch struct {
	left, right  *branch
	depth, spare uint64
}

func branchBottomUp(depth uint64) *branch {
	if depth == 0 {
		return nil
	}
	return &branch{left: branchBottomUp(depth - 1), right: branchBottomUp(depth - 1), depth: depth}
}

func (b *branch) topDown() {
	if b.depth == 1 {
		return
	}
	b.left = &branch{depth: b.depth - 1}
	b.right = &branch{depth: b.depth - 1}
	b.left.topDown()
	b.right.topDown()
}

func (b *branch) count() uint64 {
	if b == nil {
		return 0
	}
	if b.left != nil && b.left.depth != b.depth-1 {
		fail("a tree is broken")
	}
	return 1 + b.left.count() + b.right.count()
}

// Puts a tree in the place of one of its size.
func (b *branch) graftInto(at *branch, seed *uint64) {
	for at.depth > b.depth+1 {
		if random(seed)%2 != 0 {
			at = at.left
		} else {
			at = at.right
		}
	}
	if random(seed)%2 != 0 {
		at.left = b
	} else {
		at.right = b
	}
}

func garbageTurn(live *branch, number int, seed *uint64) {
	for depth := leastDepth; depth <= mostDepth; depth += 2 {
		for i := number; i < number+1<<(mostDepth-depth); i++ {
			var b *branch
			if i%2 == 0 {
				b = branchBottomUp(uint64(depth))
			} else {
				b = &branch{depth: uint64(depth)}
				b.topDown()
			}
			if i%4 == 3 {
				b.graftInto(live, seed)
			}
		}
	}
}

func garbageLoad(n int) {
	perTurn := (mostDepth - leastDepth + 2) / 2 << mostDepth
	liveDepth := pick(19, 20) - bits.TrailingZeros(uint(n))
	turns := 1 << pick(21, 26) / n / perTurn
	live := make([]*branch, n)
	begin()
	jobs(n, func(lane int) {
		seed := uint64(lane) + 1
		live[lane] = branchBottomUp(uint64(liveDepth))
		for i := 0; i < turns; i++ {
			garbageTurn(live[lane], i, &seed)
		}
	})
	end(float64(turns * perTurn * n))
	left := uint64(0)
	for _, b := range live {
		left += b.count()
	}
	if left != uint64(n)*(1<<liveDepth-1) {
		fail("a live tree lost nodes")
	}
	check(left << 12)
}

// bench/loads/trees.c, larson.c, xmalloc.c and scratch.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import "encoding/binary"

const minDepth = 4

type tree struct{ left, right *tree }

func bottomUp(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{bottomUp(depth - 1), bottomUp(depth - 1)}
}

func (t *tree) walk() uint64 {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.walk() + t.right.walk()
}

var longLived *tree

func trees(pauses bool) {
	maxDepth := 20
	if quick {
		maxDepth = 14
	}
	if pauses {
		pausesBegin()
	}
	begin()
	sum := mix(0, bottomUp(maxDepth+1).walk())
	longLived = bottomUp(maxDepth)
	var nodes [64]uint64
	jobs((maxDepth-minDepth)/2+1, func(job int) {
		depth := minDepth + 2*job
		for i := 0; i < 1<<(maxDepth-depth+minDepth); i++ {
			nodes[job] += bottomUp(depth).walk()
		}
	})
	sum = mix(sum, longLived.walk())
	total := uint64(0)
	for depth := minDepth; depth <= maxDepth; depth += 2 {
		n := nodes[(depth-minDepth)/2]
		if n != (1<<(maxDepth-depth+minDepth))*(2<<depth-1) {
			fail("a tree lost nodes")
		}
		sum = mix(sum, n)
		total += n
	}
	end(float64(total))
	if pauses {
		pausesEnd("")
	}
	check(sum)
}

const (
	tableBlocks = 5000
	smallest    = 8
	largest     = 1000
)

func newBlock(size uint32) []byte {
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b, size)
	return b
}

func checkBlock(b []byte) uint64 {
	size := binary.LittleEndian.Uint32(b)
	if size < smallest || size > largest {
		fail("a block was overwritten")
	}
	return uint64(size)
}

func randomSize(seed *uint64) uint32 {
	return smallest + random(seed)%(largest-smallest+1)
}

type table struct {
	blocks    [][]byte
	seed, sum uint64
}

func (t *table) serve(replacements int) {
	seed, sum := t.seed, t.sum
	for i := 0; i < replacements; i++ {
		victim := random(&seed) % tableBlocks
		if i%8 == 0 {
			sum = mix(sum, checkBlock(t.blocks[victim]))
		}
		t.blocks[victim] = newBlock(randomSize(&seed))
	}
	t.seed, t.sum = seed, sum
}

func larson() {
	const replacements = 100000
	generations := 100
	if quick {
		generations = 10
	}
	begin()
	tables := make([]*table, procs)
	for i := range tables {
		t := &table{blocks: make([][]byte, tableBlocks), seed: uint64(i) + 1}
		for k := range t.blocks {
			t.blocks[k] = newBlock(randomSize(&t.seed))
		}
		tables[i] = t
	}
	for g := 0; g < generations; g++ {
		jobs(procs, func(lane int) { tables[(lane+g)%procs].serve(replacements) })
	}
	end(float64(generations * replacements * procs))
	sum := uint64(0)
	for _, t := range tables {
		sum = mix(sum, t.sum)
	}
	check(sum)
}

const batchSize = 256

type batch struct {
	objects [batchSize][]uint64
}

var sizes = [16]uint32{16, 24, 32, 32, 48, 64, 64, 80, 96, 128, 128, 192, 256, 320, 400, 512}

func produce(seed, sum *uint64) *batch {
	b := new(batch)
	for i := range b.objects {
		size := sizes[random(seed)%16]
		p := make([]uint64, size/8)
		p[len(p)-1] = uint64(size)
		p[0] = uint64(random(seed))
		*sum += p[0]
		b.objects[i] = p
	}
	return b
}

func xmalloc() {
	lanes, batches := procs/2, 30000
	if quick {
		batches = 2000
	}
	sent, sums := make([]uint64, lanes), make([]uint64, lanes)
	queues := make([]chan *batch, lanes)
	for i := range queues {
		queues[i] = make(chan *batch, 32)
	}
	begin()
	jobs(procs, func(job int) {
		lane := job / 2
		sum, seed := uint64(0), uint64(lane)+7
		if job%2 == 0 {
			for i := 0; i < batches; i++ {
				queues[lane] <- produce(&seed, &sum)
			}
			sent[lane] = sum
		} else {
			for i := 0; i < batches; i++ {
				b := <-queues[lane]
				for k := range b.objects {
					sum += b.objects[k][0]
				}
			}
			sums[lane] = sum
		}
	})
	end(float64(batches * batchSize * lanes))
	sum := uint64(0)
	for i := range sums {
		if sums[i] != sent[i] {
			fail("an object was overwritten")
		}
		sum = mix(sum, sums[i])
	}
	check(sum)
}

const (
	scratchSize   = 8
	scratchHanded = 64
	scratchWrites = 100
)

//go:noinline
func scratchWrite(p *[scratchSize]byte) uint64 {
	sum := uint64(0)
	for i := 0; i < scratchWrites; i++ {
		for k := range p {
			p[k] = byte(i + k)
			sum += uint64(p[k])
		}
	}
	return sum
}

type lane struct {
	handed  [scratchHanded]*[scratchSize]byte
	scratch *[scratchSize]byte // a store into the heap, so that it is not on the stack
	sum     uint64
}

func scratch() {
	rounds := 10000
	if quick {
		rounds = 1000
	}
	begin()
	lanes := make([]*lane, procs)
	for i := range lanes {
		lanes[i] = new(lane)
	}
	for i := 0; i < scratchHanded; i++ {
		for _, l := range lanes {
			l.handed[i] = new([scratchSize]byte)
		}
	}
	jobs(procs, func(job int) {
		l := lanes[job]
		for i := range l.handed {
			l.sum += scratchWrite(l.handed[i])
			l.handed[i] = nil
			for k := 0; k < rounds; k++ {
				l.scratch = new([scratchSize]byte)
				l.sum += scratchWrite(l.scratch)
			}
		}
	})
	end(float64(rounds * scratchHanded * procs))
	sum := uint64(0)
	for _, l := range lanes {
		sum = mix(sum, l.sum)
	}
	check(sum)
}

// bench/tasks/switch.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

import "runtime"

func yield() {
	yields := count(2000000)
	begin()
	join(2, func(int) {
		for i := 0; i < yields; i++ {
			runtime.Gosched()
		}
	})
	end(2 * float64(yields))
	check(uint64(yields) << 12)
}

const batch = 100

func nothing(int) {}

func spawn() {
	batches := count(20000)
	join(batch, nothing)
	begin()
	for i := 0; i < batches; i++ {
		join(batch, nothing)
	}
	end(float64(batches) * batch)
	check(uint64(batches) << 12)
}

func trip() {
	messages, there, back := count(1000000), make(chan int), make(chan int)
	sum := uint64(0)
	go func() {
		for v := range there {
			back <- v + 1
		}
	}()
	begin()
	for i := 0; i < messages; i++ {
		there <- i
		sum = mix(sum, uint64(<-back))
	}
	end(float64(messages))
	check(sum)
}

func consume(capacity int) {
	messages, there := count(4000000), make(chan int, capacity)
	sum := uint64(0)
	go func() {
		for i := 0; i < messages; i++ {
			there <- i
		}
	}()
	begin()
	for i := 0; i < messages; i++ {
		sum = mix(sum, uint64(<-there))
	}
	end(float64(messages))
	check(sum)
}

func makeChans(n, capacity int) []chan int {
	chans := make([]chan int, n)
	for i := range chans {
		chans[i] = make(chan int, capacity)
	}
	return chans
}

func receive2(c []chan int) (v int) {
	select {
	case v = <-c[0]:
	case v = <-c[1]:
	}
	return
}

func receive8(c []chan int) (v int) {
	select {
	case v = <-c[0]:
	case v = <-c[1]:
	case v = <-c[2]:
	case v = <-c[3]:
	case v = <-c[4]:
	case v = <-c[5]:
	case v = <-c[6]:
	case v = <-c[7]:
	}
	return
}

func selectReady2() {
	messages, chans := count(1000000), makeChans(2, 1)
	sum := uint64(0)
	begin()
	for i := 0; i < messages; i++ {
		chans[i%2] <- i
		sum = mix(sum, uint64(receive2(chans)))
	}
	end(float64(messages))
	check(sum)
}

func selectReady8() {
	messages, chans := count(1000000), makeChans(8, 1)
	sum := uint64(0)
	begin()
	for i := 0; i < messages; i++ {
		chans[i%8] <- i
		sum = mix(sum, uint64(receive8(chans)))
	}
	end(float64(messages))
	check(sum)
}

func selectBlocking(n int, receive func([]chan int) int) {
	messages, chans, back := count(500000), makeChans(n, 0), make(chan int)
	sum := uint64(0)
	go func() {
		for i := 0; i < messages; i++ {
			back <- receive(chans) + 1
		}
	}()
	runtime.Gosched() // or with one P the select would always find the one who came first
	begin()
	for i := 0; i < messages; i++ {
		chans[i%n] <- i
		sum = mix(sum, uint64(<-back))
	}
	end(float64(messages))
	check(sum)
}

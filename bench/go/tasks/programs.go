// bench/tasks/programs.c in Go.
//
// SPDX-License-Identifier: BSD-3-Clause
package main

func skynetNode(up chan int, number, leaves int) {
	if leaves == 1 {
		up <- number
		return
	}
	mine, below, total := make(chan int), leaves/10, 0
	for i := 0; i < 10; i++ {
		go skynetNode(mine, number+i*below, below)
	}
	for i := 0; i < 10; i++ {
		total += <-mine
	}
	up <- total
}

func skynet() {
	leaves, up := pick(10000, 1000000), make(chan int)
	begin()
	go skynetNode(up, 0, leaves)
	total := <-up
	end(float64(leaves))
	check(uint64(total) << 12)
}

func threadRing() {
	const size = 503
	hops, ring, finished := count(2000000), makeChans(size, 0), make(chan int)
	for i := 0; i < size; i++ {
		go func(i int, in, out chan int) {
			for {
				n := <-in
				if n == 0 {
					finished <- i
					return
				}
				out <- n - 1
			}
		}(i, ring[i], ring[(i+1)%size])
	}
	begin()
	ring[0] <- hops
	last := <-finished
	end(float64(hops))
	check(uint64(last) << 12)
}

func sieve() {
	primes, in := pick(100, 1000), make(chan int)
	sum := uint64(0)
	begin()
	go func(out chan int) {
		for n := 2; ; n++ {
			out <- n
		}
	}(in)
	for i := 0; i < primes; i++ {
		prime := <-in
		sum = mix(sum, uint64(prime))
		out := make(chan int)
		go func(in, out chan int) {
			for {
				n := <-in
				if n%prime != 0 {
					out <- n
				}
			}
		}(in, out)
		in = out
	}
	end(float64(primes))
	check(sum)
}

func otherColour(a, b int) int {
	if a == b {
		return a
	}
	return 3 - a - b
}

func chameneos() {
	const creatures = 10
	meetings, mall, metWith := count(600000), make(chan int), makeChans(creatures, 0)
	met := make([]int, creatures)
	begin()
	for i := 0; i < creatures; i++ {
		go func(me int) {
			colour := me % 3
			for {
				mall <- me*4 + colour
				other := <-metWith[me]
				if other < 0 {
					return
				}
				colour = otherColour(colour, other)
				met[me]++
			}
		}(i)
	}
	for i := 0; i < meetings; i++ {
		a, b := <-mall, <-mall
		metWith[a/4] <- b % 4
		metWith[b/4] <- a % 4
	}
	for i := 0; i < creatures; i++ {
		metWith[<-mall/4] <- -1
	}
	end(float64(meetings))
	all := 0
	for _, n := range met {
		all += n
	}
	check(uint64(all) << 12)
}

const mailbox = 256

func pingPong() {
	pings, boxes := count(1000000), makeChans(2, mailbox)
	sum := uint64(0)
	go func() {
		for i := 0; i < pings; i++ {
			boxes[0] <- <-boxes[1] + 1
		}
	}()
	begin()
	for i := 0; i < pings; i++ {
		boxes[1] <- i
		sum = mix(sum, uint64(<-boxes[0]))
	}
	end(float64(pings))
	check(sum)
}

func big() {
	const actors, pong, stop = 100, 1000, 2000
	pings, boxes := count(10000), makeChans(actors+1, mailbox)
	out := boxes[actors]
	begin()
	for i := 0; i < actors; i++ {
		go func(me int) {
			left, state, message := pings, uint64(me), pong
			for message != stop {
				if message != pong {
					boxes[message] <- pong
				} else if left > 0 {
					left--
					state = state*6364136223846793005 + 1442695040888963407
					boxes[(state>>33)%actors] <- me
				} else {
					out <- me
				}
				message = <-boxes[me]
			}
			out <- me
		}(i)
	}
	for i := 0; i < actors; i++ {
		<-out
	}
	end(float64(pings) * actors)
	ended := uint64(0)
	for i := 0; i < actors; i++ {
		boxes[i] <- stop
	}
	for i := 0; i < actors; i++ {
		ended += uint64(<-out) + 1
	}
	check(ended << 12)
}

func work(value uint64, steps int) uint64 {
	for i := 0; i < steps; i++ {
		value = mix(value, uint64(i))
	}
	return value
}

func bounded() {
	const sides, room, steps = 10, 50, 20
	items, buffer, results := count(100000), make(chan uint64, room), make(chan uint64, sides)
	sum := uint64(0)
	begin()
	for i := 0; i < sides; i++ {
		go func(me int) {
			for i := 0; i < items; i++ {
				buffer <- work(uint64(me)+uint64(i), steps)
			}
		}(i)
		go func() {
			mine := uint64(0)
			for i := 0; i < items; i++ {
				mine += work(<-buffer, steps) >> 12
			}
			results <- mine
		}()
	}
	for i := 0; i < sides; i++ {
		sum += <-results
	}
	end(sides * float64(items))
	check(sum)
}

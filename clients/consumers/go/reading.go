package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	poll       = 500 * time.Millisecond
	maxRecords = 1000 // records of one fetch: what is decoded and committed at once
)

// Reader follows topics (named without generation). The broker keeps nothing for it: no group, no committed offsets.
type Reader struct {
	bootstrap string
	topics    []string
	store     *Store
	follower  *Follower
	client    *kgo.Client
	topicOf   map[string]string
}

// Run reads until nothing has come for `idle`, or for ever with 0, or until the context ends.
func (r *Reader) Run(ctx context.Context, idle time.Duration) error {
	if err := r.assign(ctx); err != nil {
		return err
	}
	defer func() { r.client.Close() }()
	for last := time.Now(); ctx.Err() == nil && (idle == 0 || time.Since(last) < idle); {
		count, err := r.once(ctx)
		if err != nil {
			return err
		}
		if count > 0 {
			last = time.Now()
		}
	}
	return nil
}

func (r *Reader) once(ctx context.Context) (count int, err error) {
	within, cancel := context.WithTimeout(ctx, poll)
	defer cancel()
	fetched := r.client.PollRecords(within, maxRecords)
	for _, one := range fetched.Errors() {
		if !errors.Is(one.Err, context.DeadlineExceeded) && !errors.Is(one.Err, context.Canceled) {
			return 0, fmt.Errorf("%s/%d: %w", one.Topic, one.Partition, one.Err)
		}
	}
	crossed := false
	fetched.EachPartition(func(one kgo.FetchTopicPartition) {
		if err != nil || len(one.Records) == 0 {
			return
		}
		count += len(one.Records)
		var another bool
		another, err = r.follower.Apply(r.topicOf[one.Topic], one.Topic, one.Partition, one.Records)
		crossed = crossed || another
	})
	if err == nil && crossed {
		err = r.assign(ctx)
	}
	return count, err
}

// assign reads each topic in the generation that the store has come to, from its positions on.
func (r *Reader) assign(ctx context.Context) error {
	asking, err := kgo.NewClient(kgo.SeedBrokers(r.bootstrap))
	if err != nil {
		return err
	}
	defer asking.Close()
	known, err := kadm.NewClient(asking).ListTopics(ctx)
	if err != nil {
		return err
	}
	r.topicOf = map[string]string{}
	places := map[string]map[int32]kgo.Offset{}
	for _, topic := range r.topics {
		name, offsets, err := r.offsets(topic, known)
		if err != nil {
			return err
		}
		r.topicOf[name], places[name] = topic, offsets
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(r.bootstrap), kgo.ConsumePartitions(places), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return err
	}
	if r.client != nil {
		r.client.Close()
	}
	r.client = client
	return nil
}

func (r *Reader) offsets(topic string, known kadm.TopicDetails) (name string, found map[int32]kgo.Offset, err error) {
	found = map[int32]kgo.Offset{}
	err = r.store.Update(func(tx Tx) error {
		if name = tx.Reading(topic); name == "" {
			if name = oldest(topic, known.Names()); name == "" {
				return fmt.Errorf("%s is not on the broker: was it deleted, or is the prefix another one?", topic)
			}
			if err := tx.Read(topic, name, make([]Position, len(known[name].Partitions))); err != nil {
				return err
			}
		}
		if !known.Has(name) {
			return fmt.Errorf("%s is not on the broker any more, and was not read to its end", name)
		}
		positions, err := tx.Positions(name)
		for partition, at := range positions {
			if !at.Closed {
				found[partition] = kgo.NewOffset().At(at.NextOffset)
			}
		}
		return err
	})
	return name, found, err
}

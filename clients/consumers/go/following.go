package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

const closedType = "lyceum.eventfold.generation.closed.v1"

var generationOf = regexp.MustCompile(`\.g(\d+)$`)

// closing is the value of a closing record: after BarrierSeq the history goes on at Offsets of NextTopic.
type closing struct {
	NextTopic        string  `json:"next_topic"`
	PartitionsBefore int     `json:"partitions_before"`
	Partitions       int     `json:"partitions"`
	BarrierSeq       int64   `json:"barrier_seq"`
	Offsets          []int64 `json:"offsets"`
	Rewound          bool    `json:"rewound"`
	Histories        []struct {
		KeptSeq int64 `json:"kept_seq"`
	} `json:"histories"`
}

// Seen is what came of the records so far.
type Seen struct{ Applied, Duplicates, Crossed int }

// Follower applies fetched runs of records to the store, each run in one transaction. The rules are those of
// docs/consuming-events.md.
type Follower struct {
	store   *Store
	schemas *Schemas
	seen    Seen
}

// Apply applies a run of one partition, and says whether another generation of the topic is to be read from now on. After
// an error nothing of the run is applied.
func (f *Follower) Apply(topic, name string, partition int32, records []*kgo.Record) (crossed bool, err error) {
	before := f.seen
	err = f.store.Update(func(tx Tx) error {
		positions, err := tx.Positions(name)
		if err != nil {
			return err
		}
		at, closes := positions[partition], (*closing)(nil)
		for _, record := range records {
			if at.Closed || record.Offset < at.NextOffset {
				continue // whoever writes behind a closing record is late: the next generation has it too
			}
			if at, closes, err = f.next(tx, topic, name, at, record); err != nil {
				return fmt.Errorf("%s/%d at %d: %w", name, partition, record.Offset, err)
			}
		}
		if err := tx.Move(name, partition, at); err != nil || closes == nil {
			return err
		}
		positions[partition] = at
		crossed, err = f.cross(tx, topic, positions, closes)
		return err
	})
	if err != nil {
		f.seen = before
	}
	return crossed && err == nil, err
}

func (f *Follower) next(tx Tx, topic, name string, at Position, record *kgo.Record) (Position, *closing, error) {
	headers := map[string]string{}
	for _, one := range record.Headers {
		headers[one.Key] = string(one.Value)
	}
	at.NextOffset = record.Offset + 1
	if record.Key == nil { // a control record is none of the topic's events, and has no place in their order
		if headers["ce_type"] != closedType {
			return at, nil, nil
		}
		at.Closed = true
		closes := &closing{}
		return at, closes, json.Unmarshal(record.Value, closes)
	}
	seq, err := strconv.ParseInt(headers["ce_sequence"], 10, 64)
	if err != nil || headers["ce_id"] == "" || headers["ce_type"] == "" {
		return at, nil, fmt.Errorf("no event: ce_id, ce_type and ce_sequence are needed")
	}
	if seq <= at.Seq {
		f.seen.Duplicates++
		return at, nil, nil
	}
	if before, _ := strconv.ParseInt(headers["ce_previoussequence"], 10, 64); before > at.Seq {
		return at, nil, fmt.Errorf("the record with ce_sequence %d never came; ask its owner", before)
	}
	at.Seq = seq
	f.seen.Applied++
	return at, nil, f.add(tx, topic, seq, headers, record.Value)
}

// add is what this example makes of an event: it counts, and adds up what was charged.
func (f *Follower) add(tx Tx, topic string, seq int64, headers map[string]string, value []byte) error {
	data, err := f.schemas.Decode(value)
	if err != nil {
		return err
	}
	made := event{Topic: topic, Seq: seq, Type: headers["ce_type"]}
	if charged, ok := data["charged"].(map[string]any); ok && made.Type == "lyceum.billing.order.paid.v1" {
		made.Currency, _ = charged["currency"].(string)
		made.Charged, _ = charged["amount_minor"].(int64)
	}
	return tx.Add(headers["ce_id"], made)
}

// cross goes on to the next generation once every partition of this one is closed.
func (f *Follower) cross(tx Tx, topic string, positions map[int32]Position, closes *closing) (bool, error) {
	closed := 0
	for _, at := range positions {
		if at.Closed {
			closed++
		}
	}
	if closed < closes.PartitionsBefore {
		return false, nil
	}
	f.seen.Crossed++
	beyond, err := f.beyond(tx, topic, closes)
	if err != nil {
		return false, err
	}
	return true, tx.Read(topic, closes.NextTopic, beyond)
}

// beyond is where the next generation goes on. A store that was restored to an earlier point keeps what it had up to a
// number: what was read above it never happened, and the next generation is read from its beginning.
func (f *Follower) beyond(tx Tx, topic string, closes *closing) ([]Position, error) {
	if !closes.Rewound {
		made := make([]Position, len(closes.Offsets))
		for partition, offset := range closes.Offsets {
			made[partition] = Position{NextOffset: offset, Seq: closes.BarrierSeq}
		}
		return made, nil
	}
	if len(closes.Histories) == 0 {
		return nil, fmt.Errorf("the closing record is rewound and names no history")
	}
	kept := closes.Histories[len(closes.Histories)-1].KeptSeq
	made := make([]Position, closes.Partitions)
	for partition := range made {
		made[partition] = Position{Seq: kept}
	}
	return made, tx.ForgetAbove(topic, kept)
}

// generation of `lyceum.billing.order.g3` is 3; without a suffix it is the first.
func generation(name string) int {
	if found := generationOf.FindStringSubmatch(name); found != nil {
		number, _ := strconv.Atoi(found[1])
		return number
	}
	return 1
}

// oldest is the oldest generation of a topic that exists, empty for none: every one holds the whole history.
func oldest(topic string, names []string) string {
	found := ""
	for _, name := range names {
		isOwn := generationOf.ReplaceAllString(name, "") == topic
		if isOwn && (found == "" || generation(name) < generation(found)) {
			found = name
		}
	}
	return found
}

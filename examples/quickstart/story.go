package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ips-p2p/ips"
)

// The story: 张三 borrows twice. The first loan, the car, is paid out at once
// when it is full; the second, the shop, as the money comes in. 李四 and 王五
// lend, 赵六 guarantees. A third loan does not come about.
//
//	        amount   rate  term      margin  platform's fee  guarantor's margin, profit
//	car     10,000   12 %  2 months  500     100             1,000, 50
//	shop     6,000   10 %  6 months  300      60             none, none
//	holiday  3,000   10 %  6 months  100      30             not guaranteed
//
// All of it is written without fees of IPS.

// scenario is one of the usage guide's scenarios, or one that follows from
// them and has no number there.
type scenario struct {
	number int
	name   string
	about  string
	needs  []int // the numbers of those that must have happened
	play   func(context.Context, *story) error
	// effect is what it does to everybody's money, worked out by hand. After
	// each scenario IPS is asked whether it agrees.
	effect map[party]money
	cash   ips.Amount // what comes in from banks, or goes out to them
}

// scenarios lists them in the order of the story.
func scenarios() []scenario {
	return []scenario{{
		number: 1, name: "用户开户", about: "everybody opens a custody account",
		play: openAccounts,
	}, {
		number: 10, name: "托管账户充值(网银)", about: "the investors and the guarantor pay in at their banks",
		needs: []int{1}, play: rechargeAtBank,
		effect: map[party]money{
			liSi:    {available: 10000 * ips.Yuan},
			wangWu:  {available: 12000 * ips.Yuan},
			zhaoLiu: {available: 5000 * ips.Yuan},
		},
		cash: 27000 * ips.Yuan,
	}, {
		number: 11, name: "托管账户充值(委托收款-用户发起)", about: "张三 has his card debited",
		needs: []int{1}, play: rechargeByMandate,
		effect: map[party]money{zhangSan: {available: 2000 * ips.Yuan}},
		cash:   2000 * ips.Yuan,
	}, {
		number: 12, name: "托管账户充值(委托收款-商户发起)", about: "the platform has 张三's card debited",
		needs: []int{1}, play: rechargeByMerchant,
		effect: map[party]money{zhangSan: {available: 1000 * ips.Yuan}},
		cash:   1000 * ips.Yuan,
	}, {
		number: 2, name: "平台发布借款标", about: "张三 looks for two loans and puts up margins",
		needs: []int{11}, play: registerBids,
		effect: map[party]money{zhangSan: {-800 * ips.Yuan, +800 * ips.Yuan}}, // 500 + 300
	}, {
		number: 3, name: "担保方对标的担保", about: "赵六 guarantees for both, once with a margin and once without",
		needs: []int{2, 10}, play: registerGuarantors,
		effect: map[party]money{zhaoLiu: {-1000 * ips.Yuan, +1000 * ips.Yuan}},
	}, {
		number: 4, name: "投资人投标(一次性放款)", about: "the car is full, and paid out at once",
		needs: []int{2, 10}, play: lendForCar,
		effect: map[party]money{
			liSi:        {available: -6006 * ips.Yuan},
			wangWu:      {available: -4004 * ips.Yuan},
			zhangSan:    {available: +9900 * ips.Yuan}, // 10,000 less the fee of 100
			thePlatform: {available: +110 * ips.Yuan},  // 6 + 4 + 100
		},
	}, {
		number: 5, name: "投资人投标(随投随放)", about: "the shop is paid out as the money comes in",
		needs: []int{2, 10}, play: lendForShop,
		effect: map[party]money{
			liSi:        {available: -2002 * ips.Yuan},
			wangWu:      {available: -1001 * ips.Yuan},
			zhangSan:    {available: +2970 * ips.Yuan}, // 3,000 less fees of 20 and 10
			thePlatform: {available: +33 * ips.Yuan},   // 2 + 1 + 30
		},
	}, {
		number: 16, name: "投资人设置自动投标", about: "王五 lets the platform bid for him, and it takes the rest of the shop",
		needs: []int{5}, play: bidAutomatically,
		effect: map[party]money{
			wangWu:      {available: -3003 * ips.Yuan},
			zhangSan:    {available: +2970 * ips.Yuan}, // 3,000 less a fee of 30
			thePlatform: {available: +33 * ips.Yuan},   // 3 + 30
		},
	}, {
		number: 6, name: "个人债权转让", about: "李四 sells his claim of 2,000 on the shop to 王五, for 1,900",
		needs: []int{5}, play: sellClaim,
		effect: map[party]money{
			liSi:        {available: +1890 * ips.Yuan}, // 1,900 less a fee of 10
			wangWu:      {available: -1905 * ips.Yuan}, // 1,900 and a fee of 5
			thePlatform: {available: +15 * ips.Yuan},
		},
	}, {
		number: 8, name: "担保方代偿", about: "张三 misses the car's interest of the first month, 1 % of 10,000; 赵六's margin pays",
		needs: []int{3, 4}, play: compensate,
		effect: map[party]money{
			zhaoLiu: {frozen: -100 * ips.Yuan},
			liSi:    {available: +60 * ips.Yuan},
			wangWu:  {available: +40 * ips.Yuan},
		},
	}, {
		number: 9, name: "借款人针对代偿的还款", about: "张三 pays it back to 赵六, and the profit of the guarantee (结算担保收益)",
		needs: []int{8}, play: repayGuarantor,
		effect: map[party]money{
			zhangSan: {available: -150 * ips.Yuan}, // 100 + 50
			zhaoLiu:  {available: +150 * ips.Yuan},
		},
	}, {
		number: 7, name: "借款人还款", about: "张三 repays the car, and half of the shop; 王五 is paid for the claim that he bought",
		needs: []int{4, 6, 16}, play: repay,
		effect: map[party]money{
			// The car: 10,000 and 1 % interest, 6 and 4 from the creditors, 1 per row from him.
			// Half of the shop: 3,000 and 5 % of it (10 % a year, 6 months); 5, 2.50 and 7.50; 1 per row.
			zhangSan:    {available: -10102*ips.Yuan - 3153*ips.Yuan},
			liSi:        {available: +6054 * ips.Yuan},                // 6,060 − 6
			wangWu:      {available: +4036*ips.Yuan + 3135*ips.Yuan},  // 4,040 − 4; 3,150 − 15
			thePlatform: {available: +(6+4+2)*ips.Yuan + 18*ips.Yuan}, // 15 + 3
		},
	}, {
		number: 17, name: "借款人设置自动还款", about: "张三 lets the platform repay for him, and it repays the other half of the shop",
		needs: []int{7}, play: repayAutomatically,
		effect: map[party]money{
			zhangSan:    {available: -3153 * ips.Yuan},
			wangWu:      {available: +3135 * ips.Yuan},
			thePlatform: {available: +18 * ips.Yuan},
		},
	}, {
		number: 14, name: "解冻担保方保证金", about: "赵六 gets the 900 back that are left of his margin, in two parts",
		needs: []int{7, 8}, play: unfreezeGuarantor,
		effect: map[party]money{zhaoLiu: {+900 * ips.Yuan, -900 * ips.Yuan}},
	}, {
		number: 15, name: "解冻借款人保证金", about: "张三 gets the car's margin back, in two parts",
		needs: []int{7}, play: unfreezeBorrower,
		effect: map[party]money{zhangSan: {+500 * ips.Yuan, -500 * ips.Yuan}},
	}, {
		number: 13, name: "托管账户提现", about: "李四 takes 5,000 home, for a fee of 2",
		needs: []int{10}, play: withdraw,
		effect: map[party]money{
			liSi:        {available: -5002 * ips.Yuan},
			thePlatform: {available: +2 * ips.Yuan},
		},
		cash: -5000 * ips.Yuan,
	}, {
		name: "流标", about: "the holiday does not come about: its end gives 李四 his 1,001 and 张三 his margin back",
		needs: []int{2, 10}, play: callOff,
	}, {
		name: "标的结束", about: "both loans are repaid and end; the shop's margin comes back by itself",
		needs: []int{7, 15, 17}, play: endBids,
		effect: map[party]money{zhangSan: {+300 * ips.Yuan, -300 * ips.Yuan}},
	}}
}

// ending is what everybody has at the end of the whole story, added up by hand;
// nothing is frozen. 30,000 came in and 5,000 went out: 25,000 are there.
func ending() map[party]money {
	return map[party]money{
		// 2,000 + 1,000 − 800 + 9,900 + 2,970 + 2,970 − 150 − 13,255 − 3,153 + 500 + 300
		zhangSan: {available: 2282 * ips.Yuan},
		// 10,000 − 6,006 − 2,002 + 1,890 + 60 + 6,054 − 5,002
		liSi: {available: 4994 * ips.Yuan},
		// 12,000 − 4,004 − 1,001 − 3,003 − 1,905 + 40 + 7,171 + 3,135
		wangWu: {available: 12433 * ips.Yuan},
		// 5,000 − 1,000 + 150 + 900
		zhaoLiu: {available: 5050 * ips.Yuan},
		// 110 + 33 + 33 + 15 + 30 + 18 + 2
		thePlatform: {available: 241 * ips.Yuan},
	}
}

// party is somebody who has money at IPS.
type party int

const (
	zhangSan party = iota
	liSi
	wangWu
	zhaoLiu
	thePlatform
)

func parties() []party { return []party{zhangSan, liSi, wangWu, zhaoLiu, thePlatform} }

func (p party) String() string {
	return [...]string{"张三 borrower", "李四 investor", "王五 investor", "赵六 guarantor", "platform"}[p]
}

func (p party) name() string {
	name, _, _ := strings.Cut(p.String(), " ")
	return name
}

// money is what somebody has at IPS, or what he gets and gives away.
type money struct{ available, frozen ips.Amount }

func (m money) plus(o money) money { return money{m.available + o.available, m.frozen + o.frozen} }

func (m money) minus(o money) money { return money{m.available - o.available, m.frozen - o.frozen} }

// person is a user of the platform.
type person struct {
	name, identNo, mobile, email string
	account                      string // once it is open
}

// story is what happens on the platform, and what it must remember.
type story struct {
	*merchant
	prefix string // of order and bid numbers, which must be new to IPS
	orders int
	today  ips.Date

	people map[party]*person
	before money           // of the platform, which may have had money before
	want   map[party]money // what everybody must have by now
	cash   ips.Amount      // what has come in less what has gone out

	car, shop                       ips.RegisterBidRequest
	carGuarantee                    string // order number of the guarantor registration
	carLi, carWang                  claim
	shopLi, shopWang, shopWangAgain claim
	compensation                    string // order number
}

// claim is a loan by an investor. Its number stays the same whoever holds it.
type claim struct {
	orderNo, contractNo string
	holder              *person
}

func newStory(m *merchant, prefix string) *story {
	s := &story{merchant: m, prefix: prefix, today: ips.Today(), want: make(map[party]money), people: make(map[party]*person)}
	for i, p := range []struct{ name, login string }{
		zhangSan: {"张三", "zhangsan"}, liSi: {"李四", "lisi"}, wangWu: {"王五", "wangwu"}, zhaoLiu: {"赵六", "zhaoliu"},
	} {
		s.people[party(i)] = &person{
			name:    p.name,
			identNo: fmt.Sprintf("11010119900101%04d", i+1),
			mobile:  fmt.Sprintf("1380000000%d", i+1),
			email:   fmt.Sprintf("%s.%s@example.com", p.login, prefix),
		}
	}
	return s
}

// newOrder gives the next order number. A platform keeps it with the order
// before anything is sent, since a repeated order must repeat its number;
// [ips.NewOrderNo] makes numbers that are longer and never come twice.
func (s *story) newOrder() string {
	s.orders++
	return fmt.Sprintf("%s%03d", s.prefix, s.orders)
}

// tell plays the given scenarios and compares the balances after each.
func (s *story) tell(ctx context.Context, list []scenario) error {
	platform, err := s.balance(ctx, s.MerchantCode())
	if err != nil {
		return fmt.Errorf("asking for the platform's balance: %w", err)
	}
	s.before = platform
	s.out.legend()
	for i := range list {
		s.out.scenario(&list[i])
		if err := s.play(ctx, &list[i]); err != nil {
			return fmt.Errorf("%s: %w", list[i].name, err)
		}
	}
	return nil
}

func (s *story) play(ctx context.Context, sc *scenario) error {
	if err := sc.play(ctx, s); err != nil {
		return err
	}
	for who, effect := range sc.effect {
		s.want[who] = s.want[who].plus(effect)
	}
	s.cash += sc.cash
	have, err := s.balances(ctx)
	if err != nil {
		return err
	}
	if err := compare(have, s.want); err != nil {
		return err
	}
	s.out.effect(sc.effect)
	return nil
}

// balances asks IPS what everybody has.
func (s *story) balances(ctx context.Context) (map[party]money, error) {
	have := make(map[party]money)
	for _, who := range parties() {
		account := s.MerchantCode()
		if p := s.people[who]; p != nil {
			account = p.account
		}
		if account == "" {
			continue
		}
		m, err := s.balance(ctx, account)
		if err != nil {
			return nil, fmt.Errorf("asking for the balance of %s: %w", who, err)
		}
		if who == thePlatform {
			m = m.minus(s.before)
		}
		have[who] = m
	}
	return have, nil
}

func (s *story) balance(ctx context.Context, account string) (money, error) {
	b, err := s.QueryBalance(ctx, account)
	if err != nil {
		return money{}, err
	}
	return money{b.Available, b.Frozen}, nil
}

// compare finds out who has not what he should have. Its error is a
// *balanceError.
func compare(have, want map[party]money) error {
	var wrong []string
	for _, who := range parties() {
		if have[who] != want[who] {
			wrong = append(wrong, fmt.Sprintf("%s has %s available and %s frozen, and should have %s and %s",
				who, have[who].available, have[who].frozen, want[who].available, want[who].frozen))
		}
	}
	if wrong == nil {
		return nil
	}
	return &balanceError{wrong}
}

// balanceError says that money is not where it should be.
type balanceError struct{ wrong []string }

func (e *balanceError) Error() string { return strings.Join(e.wrong, "\n") }

// choose picks scenario n with all that it needs, in the order of the story;
// n = 0 picks the whole story.
func choose(n int) ([]scenario, error) {
	all := scenarios()
	if n == 0 {
		return all, nil
	}
	last := slices.IndexFunc(all, func(sc scenario) bool { return sc.number == n })
	if n < 0 || last < 0 {
		return nil, fmt.Errorf("there is no scenario %d: the usage guide has 1 to 17", n)
	}
	// What a scenario needs comes before it, so one pass from the end does.
	needed := map[int]bool{n: true}
	var picked []scenario
	for _, sc := range slices.Backward(all[:last+1]) {
		if !needed[sc.number] {
			continue
		}
		for _, need := range sc.needs {
			needed[need] = true
		}
		picked = append(picked, sc)
	}
	slices.Reverse(picked)
	return picked, nil
}

// total is what all parties have together.
func total(of map[party]money) ips.Amount {
	var sum ips.Amount
	for m := range maps.Values(of) {
		sum += m.available + m.frozen
	}
	return sum
}

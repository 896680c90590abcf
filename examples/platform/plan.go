package main

import (
	"math/big"

	"github.com/ips-p2p/ips"
)

// plan works out the monthly instalments of a loan. Money is counted in fen
// and nothing is lost by rounding: the principal adds up exactly, and the last
// instalment takes what is left over. One that rounds to nothing is paid.
func plan(principal ips.Amount, rate ips.Rate, months int, mode ips.RepayMode, from ips.Date) []Due {
	if months == 0 { // of an old bid
		return nil
	}
	dues := make([]Due, months)
	left := principal
	instalment := annuity(principal, rate, months)
	for i := range dues {
		due := &dues[i]
		due.Period, due.DueOn, due.State = i+1, dueDay(from, i+1).String(), DueOpen
		due.Interest = monthly(left, rate)
		switch {
		case i == months-1:
			due.Principal = left
		case mode == ips.RepayAnnuity:
			due.Principal = max(0, min(left, instalment-due.Interest))
		case mode == ips.RepayEqualPrincipal:
			due.Principal = principal / ips.Amount(months)
		}
		left -= due.Principal
		if due.Left() == 0 {
			due.State = DueRepaid
		}
	}
	return dues
}

// dueDay is the same day of a later month, or that month's last day.
func dueDay(from ips.Date, months int) ips.Date {
	first := ips.NewDate(from.Year, from.Month, 1).Time()
	last := first.AddDate(0, months+1, -1).Day()
	month := first.AddDate(0, months, 0)
	return ips.NewDate(month.Year(), month.Month(), min(from.Day, last))
}

// periods is how many of a rate's units make a whole per month: a rate counts
// hundredths of a percent, and a year has 12 months.
const periods = 10_000 * 12

// monthly is a month's interest, rounded half up.
func monthly(principal ips.Amount, rate ips.Rate) ips.Amount {
	return (principal*ips.Amount(rate) + periods/2) / periods
}

// annuity is the equal instalment P·r·(1+r)^n / ((1+r)^n − 1), rounded half up.
func annuity(principal ips.Amount, rate ips.Rate, months int) ips.Amount {
	if rate == 0 {
		return principal / ips.Amount(months)
	}
	one := big.NewRat(1, 1)
	r := big.NewRat(int64(rate), periods)
	growth := big.NewRat(1, 1)
	for range months {
		growth.Mul(growth, new(big.Rat).Add(one, r))
	}
	x := new(big.Rat).SetInt64(int64(principal))
	x.Mul(x, r).Mul(x, growth).Quo(x, new(big.Rat).Sub(growth, one))
	x.Add(x, big.NewRat(1, 2))
	return ips.Amount(new(big.Int).Div(x.Num(), x.Denom()).Int64())
}

// cut is an instalment in two parts.
type cut struct{ kept, gone Due }

// split cuts what is open of a share of which a part is sold. The principal that
// goes adds up to exactly that part; of what cannot be divided, the buyer never
// gets more than his proportion.
func split(dues []Due, whole, part ips.Amount) []cut {
	var cuts []cut
	var seen, gone ips.Amount // principal, cumulated
	for _, due := range dues {
		if due.State != DueOpen {
			continue
		}
		seen += due.PrincipalLeft()
		c := cut{kept: due, gone: due}
		c.gone.Principal = proportion(seen, part, whole) - gone
		c.gone.Interest = proportion(due.InterestLeft(), part, whole)
		c.gone.Paid = 0
		gone += c.gone.Principal
		c.kept.Principal -= c.gone.Principal
		c.kept.Interest -= c.gone.Interest
		cuts = append(cuts, c)
	}
	return cuts
}

// proportion is amount·part/whole, rounded down, without overflow.
func proportion(amount, part, whole ips.Amount) ips.Amount {
	x := new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(part)))
	return ips.Amount(x.Div(x, big.NewInt(int64(whole))).Int64())
}

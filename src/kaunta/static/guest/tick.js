// What moves by the second: the prompt's minute, the cool-down, the clock that makes a screenshot weak proof.
// Nairobi is three hours ahead of UTC all year.
setInterval(()=>{
let now=Date.now()/1e3,at=s=>new Date(s*1e3).toISOString(),all=(s,f)=>document.querySelectorAll(s).forEach(f);
all('progress',e=>e.value++);
all('[data-clock]',e=>e.textContent=at(now+10800).slice(11,19));
all('[data-until]',e=>{
let s=e.dataset.until-now;
e.textContent=s>0?e.dataset.text.replace('{}',at(s).slice(14,19)):'';
if(s<0)all('[data-cool]',b=>b.disabled=0)})
},1e3);
